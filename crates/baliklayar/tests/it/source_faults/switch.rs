//! Between the seam and the legacy program: open, it passes bytes on; paused, what comes waits, and what was asked before is
//! answered; shut, nobody gets through, and what was under way is cut. So nothing is acknowledged that a failover would take
//! away again: that loss would be the legacy's own.

use crate::world::BeforeLegacy;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Paused,
    Shut,
}

#[derive(Clone)]
pub struct Switch(watch::Sender<Way>);

impl Default for Switch {
    fn default() -> Self {
        Self(watch::Sender::new(Way::Open))
    }
}

impl Switch {
    pub fn before(&self) -> BeforeLegacy {
        let open = self.0.subscribe();
        Box::new(move |legacy| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let at = listener.local_addr().unwrap();
            tokio::spawn(pass_on(TcpListener::from_std(listener).unwrap(), legacy, open));
            at
        })
    }

    pub fn shut(&self) {
        self.0.send_replace(Way::Shut);
    }

    pub fn pause(&self) {
        self.0.send_replace(Way::Paused);
    }

    pub fn open(&self) {
        self.0.send_replace(Way::Open);
    }
}

async fn pass_on(listener: TcpListener, legacy: SocketAddr, way: watch::Receiver<Way>) {
    while let Ok((near, _)) = listener.accept().await {
        let mut way = way.clone();
        tokio::spawn(async move {
            if *way.borrow_and_update() == Way::Shut {
                return;
            }
            let Ok(far) = TcpStream::connect(legacy).await else { return };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let (questions, mut to_near) = near.into_split();
            let (mut answers, to_far) = far.into_split();
            let asked = tokio::spawn(ask(questions, to_far, way.clone()));
            tokio::select! {
                _ = tokio::io::copy(&mut answers, &mut to_near) => {}
                _ = way.wait_for(|way| *way == Way::Shut) => {}
            }
            asked.abort();
        });
    }
}

async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut bytes = vec![0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let goes_on = way.wait_for(|way| *way != Way::Paused).await.is_ok();
        if !goes_on || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
