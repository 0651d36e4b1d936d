//! Between the seam and the legacy program: open, it passes bytes on; shut, nobody gets through, and what was under way
//! is cut. So nothing is acknowledged that a failover would take away again: that loss would be the legacy's own.

use crate::world::BeforeLegacy;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone)]
pub struct Switch(watch::Sender<bool>);

impl Default for Switch {
    fn default() -> Self {
        Self(watch::Sender::new(true))
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
        self.0.send_replace(false);
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

async fn pass_on(listener: TcpListener, legacy: SocketAddr, open: watch::Receiver<bool>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut open = open.clone();
        tokio::spawn(async move {
            if !*open.borrow_and_update() {
                return;
            }
            let Ok(mut far) = TcpStream::connect(legacy).await else { return };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = open.wait_for(|open| !*open) => {}
            }
        });
    }
}
