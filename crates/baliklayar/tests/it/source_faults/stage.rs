//! A world in which something is about to befall the source: a shop that moves, a neighbour that is planned too, and one
//! that nobody moves; people at all of them.

use super::disk::Disk;
use super::fault::{Fault, Phase};
use super::gate::Gate;
use super::load::Load;
use super::people::People;
use super::report;
use super::switch::Switch;
use crate::world::{Engine, How, World};
use mover::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use testkit::postgres::{Database, copy_of, fresh_database_on};
use testkit::server::Server;
use tokio_postgres::Client;
use vocab::id::{ShopId, Timestamp};

/// The shops of the legacy: one moves, one is its neighbour in the plan, one is in no plan.
const SHOPS: u32 = 3;
const PLANNED: usize = 2;

/// The server of the rows of one fault, with a seeded database to copy.
pub struct House {
    /// One of their own, where the fault harms a server.
    pub server: Option<Server>,
    url: String,
    seeded: Database,
}

impl House {
    /// Not on the server of all tests: a slot is made when nobody writes there any more, in whatever database, and other
    /// tests keep transactions open.
    pub async fn of(fault: Fault, seed: u64, common: &Server) -> Self {
        let server = if harms_the_server(fault) { Some(Server::start().await) } else { None };
        let url = match &server {
            Some(server) => server.url(),
            None => common.url(),
        };
        let seeded = fresh_database_on(&url).await;
        let database = demo_legacy::Database::open(&seeded.url).await.unwrap();
        demo_legacy::init(&database, seed, SHOPS, None).await.unwrap();
        drop(database);
        let sql = seeded.connect().await;
        sql.batch_execute(WIDE).await.unwrap();
        drop(sql);
        Self { server, url, seeded }
    }

    /// A copy of the seeded database, once everybody has left that.
    async fn database(&self) -> Database {
        let (admin, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1";
        while admin.query_one(sql, &[&self.seeded.name]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        copy_of(&self.seeded.name, &self.url).await
    }
}

const fn harms_the_server(fault: Fault) -> bool {
    match fault {
        Fault::SlotInvalidated | Fault::Failover => true,
        Fault::SessionsKilled
        | Fault::SlotDropped
        | Fault::LargeTransaction
        | Fault::OpenTransaction
        | Fault::ColumnAdded
        | Fault::ColumnDropped
        | Fault::ColumnRenamed
        | Fault::ColumnRetyped
        | Fault::Truncated
        | Fault::WideUnchanged
        | Fault::RogueWriter
        | Fault::RogueBypass
        | Fault::ClockForward
        | Fault::ClockBack
        | Fault::StagedFull => false,
    }
}

/// Two orders of each shop get an address that PostgreSQL keeps out of line: four bytes a letter, not compressed.
const WIDE: &str = "
    alter table jual alter column jalan set storage external, alter column catatan set storage external,
        alter column kota set storage external, alter column prov set storage external;
    update jual set jalan = repeat('🏠', 200), catatan = repeat('🏡', 200), kota = repeat('🏙', 80), prov = repeat('🏝', 80)
        where id in (select id from (select id, row_number() over (partition by toko_id order by id desc) n from jual) j
                     where n <= 2)";

pub struct Stage {
    pub world: World,
    pub gate: Gate,
    pub switch: Switch,
    pub sql: Client,
    pub people: People,
    pub load: Load,
    clock: Arc<AtomicI64>,
    /// The shop that moves, and its neighbour.
    pub shop: ShopId,
    pub neighbour: ShopId,
    /// Somebody with a transaction open.
    pub straggler: Option<Client>,
    /// Keeps the copy from its last tables.
    pub lock: Option<Client>,
    /// Under the staged rows, where it is to be filled.
    pub disk: Option<Disk>,
}

impl Stage {
    pub async fn set(house: &House, fault: Fault, phase: Phase, seed: u64) -> Self {
        let (gate, switch, ahead) = (Gate::default(), Switch::default(), Arc::new(AtomicI64::new(0)));
        let now = baliklayar::serving::clock();
        let clock: Clock = {
            let ahead = ahead.clone();
            Arc::new(move || Timestamp(now().0 + ahead.load(Ordering::SeqCst)))
        };
        let how = How {
            policy: policy(fault, phase).to_owned(),
            planned: Some(PLANNED),
            database: Some(house.database().await),
            clock,
            between: Some(gate.between()),
            before_legacy: Some(switch.before()),
            ..How::new(Engine::Postgres, seed, SHOPS)
        };
        let world = World::start_as(how).await;
        // The mover opens its file when the first wish comes.
        let disk = (fault == Fault::StagedFull).then(|| Disk::under(world.work.path()));
        gate.look_with(world.store.clone(), world.postgres().await);
        let (shop, neighbour, other) = (world.shops[0].clone(), world.shops[1].clone(), world.shops[2].clone());
        let product = world.one(&format!("select min(id) from produk where toko_id = {other} and aktif = 'Y'")).await;
        let people = People::at(&world, &[&shop, &neighbour], seed).await;
        let load = Load::at(world.seam(), &other, &product, report::measures());
        let sql = world.postgres().await;
        Self {
            world,
            gate,
            switch,
            sql,
            people,
            load,
            clock: ahead,
            shop,
            neighbour,
            straggler: None,
            lock: None,
            disk,
        }
    }

    pub fn jump(&self, by: Duration, forward: bool) {
        let by = i64::try_from(by.as_micros()).unwrap();
        self.clock.fetch_add(if forward { by } else { -by }, Ordering::SeqCst);
    }

    /// A statement on the legacy's database, by somebody else, who does not wait for ever.
    pub async fn run(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        let somebody = self.world.postgres().await;
        somebody.batch_execute("set lock_timeout = '60s'").await?;
        somebody.batch_execute(&sql.replace("SHOP", self.shop.as_str())).await
    }
}

/// Where a transaction must be open across a drain and is none of the legacy program's, drain watches another role.
const fn policy(fault: Fault, phase: Phase) -> &'static str {
    match (fault, phase) {
        (Fault::LargeTransaction, Phase::Held | Phase::Fenced) => "role = 'nobody'",
        _ => "",
    }
}
