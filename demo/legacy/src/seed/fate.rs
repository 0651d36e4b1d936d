//! What became of each of a shop's old orders, and what is wrong with the last four.

/// What became of an order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    New,
    Paid,
    PartlyCancelled,
    Sent,
    Finished,
    Refunded,
    Cancelled,
    Rejected,
}

/// What an old order suffers from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dirt {
    None,
    NoLines,
    NothingOfIt,
    TotalOff,
    LinesOff,
}

/// What became of the n-th order of a shop, and its status word; a few words are filled up with blanks.
pub const fn fate(place: usize) -> (Fate, &'static str) {
    match place {
        0..4 => (Fate::New, "BARU"),
        4..8 => (Fate::New, "PROSES"),
        8..22 => (Fate::Paid, "LUNAS"),
        22..24 => (Fate::Paid, "LUNAS "),
        24..27 => (Fate::PartlyCancelled, "LUNAS"),
        27..37 => (Fate::Sent, "KIRIM"),
        37..46 => (Fate::Finished, "SELESAI"),
        46..50 => (Fate::Refunded, "SELESAI"),
        50..54 => (Fate::Cancelled, "BATAL"),
        54..56 => (Fate::Rejected, "TOLAK"),
        _ => (Fate::Finished, "SELESAI"),
    }
}

/// What is wrong with it.
pub const fn dirt(place: usize) -> Dirt {
    match place {
        56 => Dirt::NoLines,
        57 => Dirt::NothingOfIt,
        58 => Dirt::TotalOff,
        59 => Dirt::LinesOff,
        _ => Dirt::None,
    }
}
