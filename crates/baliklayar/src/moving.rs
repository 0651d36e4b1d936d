//! `move`: plans, wishes and looks. It acts on nothing itself: what it writes are wishes, and the mover makes them true.

mod findings;
mod inspect;
mod status;
mod wish;

use crate::exit::Exit;
use crate::print;
use anyhow::{Context, Result, bail};
use capture::Source;
use clap::Subcommand;
use mapping::{Gather, Mapping};
use mover::{Links, Setup, Verb, Without};
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Plan, PlanFile, PlannedShop, Store};
use vocab::id::{Kind, Part, ShopId, Side};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// Folder of the store and the staged rows
    #[arg(long, global = true, env = "BALIK_WORK", default_value = "work")]
    work: PathBuf,
    /// Only these shops; all that are planned without it
    #[arg(long, global = true)]
    shop: Vec<String>,
    /// Machine-readable
    #[arg(long, global = true)]
    json: bool,
    /// Do not ask
    #[arg(long, global = true)]
    yes: bool,
    /// Who wishes it
    #[arg(long = "as", global = true, default_value = "operator")]
    name: String,
}

#[derive(Subcommand)]
enum What {
    /// Look at a database that nobody has mapped yet: its tables, and what a move would trip over; changes nothing
    Inspect {
        /// postgres://… or sqlite:PATH, with the right to read
        #[arg(long)]
        source: String,
    },
    /// Read the source and the mapping, and write down what is to be moved
    Plan {
        /// postgres://… or sqlite:PATH, with the rights to make balik_* objects
        #[arg(long)]
        source: String,
        /// Mapping file; its control totals are read from NAME.totals.toml beside it
        #[arg(long, required = true)]
        mapping: Vec<PathBuf>,
        #[arg(long)]
        policy: Option<PathBuf>,
    },
    /// Make fence and capture in the source (`start` does it too)
    Install {
        /// Print the statements and change nothing
        #[arg(long)]
        print_sql: bool,
    },
    /// Remove every balik_* object from the source
    Uninstall,
    /// Copy, follow and verify
    Start,
    /// Where every shop stands
    Status,
    /// Let the copy answer the reads of a part while it is fresh, or the owner again
    Dial {
        #[arg(long)]
        part: DialledPart,
        /// backend: the copy; legacy: the owner
        #[arg(long)]
        to: Reader,
    },
    /// Begin nothing new; a hold under way goes on to its end
    Pause,
    Resume,
    /// Move to the backend
    Flip,
    /// End a hold under way
    Abort,
    /// Move back to the legacy
    Rollback,
    /// Close the way back
    Seal,
    /// What could not be moved or does not agree: list it, explain it, accept it, read it again
    Findings(findings::Args),
    /// End every hold, with the mover dead or alive
    ReleaseAll,
}

/// The parts that have a dial.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum DialledPart {
    Catalog,
}

/// Who answers the reads of a part.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Reader {
    Legacy,
    Backend,
}

pub async fn run(args: Args) -> Result<Exit> {
    let shops = args.shop.iter().map(|shop| ShopId::parse(shop)).collect::<Result<Vec<_>, _>>()?;
    let store = || Store::open(&args.work).with_context(|| format!("opening the store in {}", args.work.display()));
    match &args.what {
        What::Inspect { source } => inspect::run(source, args.json).await,
        What::Plan { source, mapping, policy } => {
            plan(&args, &store()?, source, mapping, policy.as_deref(), shops).await
        }
        What::Findings(asked) => findings::run(&args, asked, &store()?, &shops).await,
        What::Install { print_sql } => install(&store()?, *print_sql).await,
        What::Uninstall => uninstall(&args, &store()?).await,
        What::Status => status::print_status(&args, &store()?, &shops).await,
        What::ReleaseAll => release_all(&args, store()?).await,
        What::Start => wish::wish(&args, &store()?, Verb::Start, &shops).await,
        What::Dial { part: DialledPart::Catalog, to: Reader::Backend } => {
            wish::wish(&args, &store()?, Verb::Dial, &shops).await
        }
        What::Dial { part: DialledPart::Catalog, to: Reader::Legacy } => {
            wish::wish(&args, &store()?, Verb::DialBack, &shops).await
        }
        What::Pause => wish::wish(&args, &store()?, Verb::Pause, &shops).await,
        What::Resume => wish::wish(&args, &store()?, Verb::Resume, &shops).await,
        What::Flip => wish::wish(&args, &store()?, Verb::Flip, &shops).await,
        What::Abort => wish::wish(&args, &store()?, Verb::Abort, &shops).await,
        What::Rollback => wish::wish(&args, &store()?, Verb::Rollback, &shops).await,
        What::Seal => wish::wish(&args, &store()?, Verb::Seal, &shops).await,
    }
}

async fn plan(
    args: &Args,
    store: &Store,
    source: &str,
    mappings: &[PathBuf],
    policy: Option<&Path>,
    shops: Vec<ShopId>,
) -> Result<Exit> {
    let mut plan = Plan {
        source: source.to_owned(),
        mappings: mappings.iter().map(|path| file(path)).collect::<Result<_>>()?,
        totals: Vec::new(),
        policy: policy.map(read).transpose()?.unwrap_or_default(),
        weights: Part::ALL.iter().map(|part| (*part, 2_000)).collect(),
        shops: Vec::new(),
        deadline: None,
        created_at: (crate::serving::clock())(),
    };
    for path in mappings {
        let totals = path.with_extension("totals.toml");
        if totals.exists() {
            plan.totals.push(file(&totals)?);
        }
    }
    let compiled = match mover::compile(&plan) {
        Ok(compiled) => compiled,
        Err(error) => return refuse("mapping", &error.to_string()),
    };
    mover::Policy::parse(&plan.policy)?;
    if let Some(why) = under_way(store, &plan).await? {
        return refuse("move_under_way", &why);
    }
    let source = connect(&plan, &compiled).await?;
    let found = source.preflight().await?;
    for finding in &found {
        eprintln!("preflight: {finding}");
    }
    if let Some(blocking) = found.iter().find(|finding| finding.code.blocks()) {
        return refuse(&format!("preflight.{}", blocking.code.name()), &blocking.to_string());
    }
    let planned = if shops.is_empty() { every_shop(&source, &compiled).await? } else { shops };
    if planned.is_empty() {
        return refuse("no_shops", "the source has no shop");
    }
    plan.shops = planned.iter().map(|shop| PlannedShop { shop: shop.clone(), parts: Part::ALL.to_vec() }).collect();
    store.create_heads(&planned).await?;
    let version = store.set_plan(&plan).await?;
    let text = json!({"plan": version, "shops": planned.len(), "totals": plan.totals.len()});
    say(args, &text, &format!("plan {version}: {} shops; `move start` begins", planned.len()));
    Ok(Exit::Clean)
}

/// Why the source and the mapping cannot be replaced now: what was copied and verified was so by the old ones.
async fn under_way(store: &Store, next: &Plan) -> Result<Option<String>> {
    let Some(now) = store.plan().await? else { return Ok(None) };
    if now.source == next.source && now.mappings == next.mappings && now.totals == next.totals {
        return Ok(None);
    }
    for planned in &now.shops {
        if !store.steps(&planned.shop, 0).await?.is_empty() {
            let shop = &planned.shop;
            return Ok(Some(format!(
                "shop {shop} was begun by the plan there is; another source, mapping or totals needs a work folder of its own"
            )));
        }
    }
    Ok(None)
}

fn file(path: &Path) -> Result<PlanFile> {
    let name = path.file_name().and_then(|name| name.to_str()).context("a mapping file has a name")?;
    Ok(PlanFile { name: name.to_owned(), text: read(path)? })
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

async fn connect(plan: &Plan, mapping: &Mapping) -> Result<Source> {
    let tables = Arc::new(mapping.tables().to_vec());
    Source::connect(&plan.source, tables, "balik").await.context("connecting to the source")
}

/// The shops are the keys of the table that the mapping's `shop` entity is made from.
async fn every_shop(source: &Source, mapping: &Mapping) -> Result<Vec<ShopId>> {
    let rule = mapping.rules().iter().find(|rule| rule.kind == Kind::Shop);
    let Some(Gather::Anchored { table, .. }) = rule.map(|rule| &rule.gather) else {
        bail!("the mapping has no entity `shop`: name the shops with --shop");
    };
    let key = mapping.tables()[*table].key.first().copied().context("the shop's table has no key")?;
    Ok(source.shops(*table, key).await?)
}

async fn planned(store: &Store) -> Result<Plan> {
    store.plan().await?.context("there is no plan yet: `move plan` makes one")
}

async fn install(store: &Store, print_sql: bool) -> Result<Exit> {
    let plan = planned(store).await?;
    let mapping = mover::compile(&plan)?;
    let source = connect(&plan, &mapping).await?;
    let shops: Vec<ShopId> = plan.shops.into_iter().map(|planned| planned.shop).collect();
    if print_sql {
        for statement in source.install_sql(&shops).await? {
            print(&format!("{};", statement.trim_end().trim_end_matches(';')));
        }
        return Ok(Exit::Clean);
    }
    source.install(&shops).await?;
    print("installed: fence and capture");
    Ok(Exit::Clean)
}

async fn uninstall(args: &Args, store: &Store) -> Result<Exit> {
    let plan = planned(store).await?;
    for head in store.heads().await? {
        if head.owner == Side::Backend {
            let what =
                format!("shop {} is owned by the backend: without its fence the legacy would sell too", head.shop);
            return refuse("owned_by_backend", &what);
        }
    }
    if !confirmed(args, "remove every balik_* object from the source")? {
        return refuse("not_confirmed", "nothing was changed");
    }
    let mapping = mover::compile(&plan)?;
    connect(&plan, &mapping).await?.uninstall().await?;
    print("removed");
    Ok(Exit::Clean)
}

/// Ends every hold of the shops of a work folder; whoever moves them meanwhile loses the mover's lease.
pub async fn release(store: Store, work: &Path) -> Result<Vec<ShopId>> {
    let setup = Setup {
        store,
        work: work.to_owned(),
        links: Links::default(),
        clock: crate::serving::clock(),
        accounts: None,
        without: Without::default(),
        fault: None,
        holder: format!("release-all-{}", std::process::id()),
        // Whatever folder the rows are in: it ends holds, and needs none of them.
        folder: String::new(),
    };
    Ok(mover::release_all(setup).await?)
}

async fn release_all(args: &Args, store: Store) -> Result<Exit> {
    let released = release(store, &args.work).await?;
    let names: Vec<&str> = released.iter().map(ShopId::as_str).collect();
    say(
        args,
        &json!({"released": names}),
        &format!("{} shops were between hold and release; none is now", names.len()),
    );
    Ok(Exit::Clean)
}

/// Asks on a terminal; elsewhere `--yes` has to say it.
fn confirmed(args: &Args, what: &str) -> Result<bool> {
    if args.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        eprintln!("would {what}: say --yes");
        return Ok(false);
    }
    eprintln!("This will {what}. Type yes to go on:");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// The code to standard output, why to standard error.
pub fn refuse(code: &str, why: &str) -> Result<Exit> {
    print(code);
    eprintln!("refused: {why}");
    Ok(Exit::Refused)
}

fn say(args: &Args, machine: &Value, people: &str) {
    print(&if args.json { machine.to_string() } else { people.to_owned() });
}
