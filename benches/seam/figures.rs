//! From runs to a table: medians of rounds, ratios to nginx in the same rounds, what a proxy adds to a direct call.

use crate::wrk::Run;

/// Whom the load asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Direct,
    Nginx,
    Seam,
}

impl Target {
    pub const ALL: [Self; 3] = [Self::Direct, Self::Nginx, Self::Seam];

    /// Neither proxy always comes after the same neighbour.
    pub const fn in_round(round: u32) -> [Self; 3] {
        if round.is_multiple_of(2) {
            [Self::Direct, Self::Nginx, Self::Seam]
        } else {
            [Self::Seam, Self::Nginx, Self::Direct]
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Seam => "seam",
        }
    }
}

/// One run and what its target used for it.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub run: Run,
    pub processor_us: u64,
    pub memory_kib: u64,
}

/// One call in one setting: all its rounds.
pub struct Case {
    setting: &'static str,
    call: &'static str,
    rounds: Vec<(Target, Measured)>,
}

pub fn heading() -> String {
    let columns = [
        "setting",
        "call",
        "asked",
        "requests/s",
        "of nginx",
        "p50 µs",
        "p99 µs",
        "added p50",
        "added p99",
        "processor ns/request",
        "memory MiB",
    ];
    format!("| {} |\n|---|---|---|{}", columns.join(" | "), "---:|".repeat(columns.len() - 3))
}

impl Case {
    pub const fn new(setting: &'static str, call: &'static str) -> Self {
        Self { setting, call, rounds: Vec::new() }
    }

    pub fn add(&mut self, target: Target, measured: Measured) {
        self.rounds.push((target, measured));
    }

    pub fn to_text(&self) -> String {
        Target::ALL.map(|target| self.line(target)).join("\n")
    }

    fn line(&self, target: Target) -> String {
        let [p50, p99] = [self.p50_us(target), self.p99_us(target)];
        let added = |us: u64, direct: u64| match target {
            Target::Direct => "–".to_owned(),
            Target::Nginx | Target::Seam => us.saturating_sub(direct).to_string(),
        };
        let cells = [
            self.setting.to_owned(),
            self.call.to_owned(),
            target.name().to_owned(),
            self.per_second(target).to_string(),
            thousandths(self.of_nginx(target)),
            p50.to_string(),
            p99.to_string(),
            added(p50, self.p50_us(Target::Direct)),
            added(p99, self.p99_us(Target::Direct)),
            self.median(target, |measured| measured.processor_us * 1_000 / measured.run.requests.max(1)).to_string(),
            (self.median(target, |measured| measured.memory_kib) >> 10).to_string(),
        ];
        format!("| {} |", cells.join(" | "))
    }

    /// What is looked at first.
    pub fn verdict(&self) -> String {
        let added = |target| self.p99_us(target).saturating_sub(self.p99_us(Target::Direct));
        let [nginx, seam] = [Target::Nginx, Target::Seam].map(added);
        format!(
            "{} {}: {} of nginx, added p99 {seam} µs against {nginx} µs",
            self.call,
            self.setting,
            thousandths(self.of_nginx(Target::Seam))
        )
    }

    /// The median over the rounds of the ratio within a round, in thousandths: what disturbs a round disturbs both.
    fn of_nginx(&self, target: Target) -> u64 {
        let of = |wanted: Target| self.of(wanted).map(|measured| measured.run.per_second);
        let mut ratios: Vec<u64> =
            of(target).zip(of(Target::Nginx)).map(|(own, nginx)| own * 1_000 / nginx.max(1)).collect();
        middle(&mut ratios)
    }

    fn per_second(&self, target: Target) -> u64 {
        self.median(target, |measured| measured.run.per_second)
    }

    fn p50_us(&self, target: Target) -> u64 {
        self.median(target, |measured| measured.run.p50_us)
    }

    fn p99_us(&self, target: Target) -> u64 {
        self.median(target, |measured| measured.run.p99_us)
    }

    fn median(&self, target: Target, figure: impl Fn(&Measured) -> u64) -> u64 {
        let mut figures: Vec<u64> = self.of(target).map(figure).collect();
        middle(&mut figures)
    }

    fn of(&self, target: Target) -> impl Iterator<Item = &Measured> {
        self.rounds.iter().filter(move |(of, _)| *of == target).map(|(_, measured)| measured)
    }
}

/// The upper one of two middle ones; 0 of nothing.
fn middle(figures: &mut [u64]) -> u64 {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or(0)
}

fn thousandths(ratio: u64) -> String {
    format!("{}.{:03}", ratio / 1_000, ratio % 1_000)
}
