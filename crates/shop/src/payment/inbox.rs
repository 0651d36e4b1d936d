//! Notices: let in when they are signed, durable before they are answered, and then only a reason to ask.
//!
//! What a notice says is not believed, however well it is signed: the provider is asked what became of the try that it names,
//! and the answer is the fact. So a notice that lies, comes twice, days late or out of order costs a question, no more.

use super::Service;
use super::tend::numbered;
use crate::failure::{Failure, Stop};
use crate::rails::{Admitted, NotAdmitted};
use commerce::intent::{Answer, Attempt};
use commerce::refusal::Refusal;
use std::pin::Pin;
use std::sync::Arc;
use store::{Due, Notice, Woken};
use vocab::id::{Side, Timestamp};

const SECOND_US: i64 = 1_000_000;
/// When a notice of which nothing could be made is looked at again: what it is about may not be on record yet.
const AGAIN_S: [i64; 6] = [1, 5, 30, 120, 600, 3_600];
/// Then it is left to a person; what it is about is asked for by its intent in any case.
const GIVEN_UP_AFTER_US: i64 = 24 * 3_600 * SECOND_US;

/// Tells the program that owns a shop of a notice, in the provider's own words: whether it has put on record what follows.
/// It has not where it knows nothing of the payment, does not answer, or cannot: its shop may be on its way to us.
pub type HandOn = Arc<dyn Fn(Notice) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

impl Service {
    /// Keeps a notice whose signature is good. It is safe when this answers, and only then may its sender be told so.
    ///
    /// # Errors
    /// `Store`: the sender has to repeat it.
    pub async fn admit_notice(
        &self,
        rail: &str,
        signature: &str,
        body: &[u8],
    ) -> Result<Result<Admitted, NotAdmitted>, Failure> {
        let known = self.rail.as_ref().filter(|known| known.account() == rail);
        let Some(known) = known else { return Ok(Err(NotAdmitted::UnknownRail)) };
        let notice = match known.admit(signature, body, self.now()) {
            Ok(notice) => notice,
            Err(no) => return Ok(Err(no)),
        };
        let new = self.store.keep_notice(notice).await?;
        self.news.notify_one();
        Ok(Ok(if new { Admitted::New } else { Admitted::Again }))
    }

    /// The header in which a rail's notices carry their signature; none where there is no such rail.
    pub fn signature_header(&self, rail: &str) -> Option<&'static str> {
        self.rail.as_ref().filter(|known| known.account() == rail).map(|known| known.signature_header())
    }

    /// Asks what became of the try that a notice names.
    ///
    /// # Errors
    /// See [`Failure`]; it is looked at again.
    pub async fn read_notice(&self, due: &Due) -> Result<(), Failure> {
        let key = due.notice.key();
        match self.follow(due).await {
            Ok(Some(outcome)) => Ok(self.store.notice_done(&key, outcome).await?),
            Ok(None) => self.wait(due).await,
            Err(Stop::Refused(refusal)) => {
                tracing::warn!(rail = &*key.rail, code = refusal.code, "a notice could not be followed");
                self.wait(due).await
            }
            Err(Stop::Failed(failure)) => {
                self.wait(due).await?;
                Err(failure)
            }
        }
    }

    async fn wait(&self, due: &Due) -> Result<(), Failure> {
        let (now, key) = (self.now(), due.notice.key());
        if now.0.saturating_sub(due.notice.received_at.0) >= GIVEN_UP_AFTER_US {
            tracing::error!(rail = &*key.rail, digest = key.digest, "nothing could be made of a notice for a day");
            return Ok(self.store.notice_done(&key, "given_up").await?);
        }
        let nth = usize::try_from(due.tries).unwrap_or(usize::MAX).min(AGAIN_S.len() - 1);
        let until = Timestamp(now.0.saturating_add(AGAIN_S[nth] * SECOND_US));
        Ok(self.store.notice_waits(&key, until).await?)
    }

    /// Of a shop that is not ours, or of a payment that nobody here has heard of: the other program may know it. Whether it
    /// has put it on record. If the shop is handed over meanwhile, it cannot, and the notice stays here for its next owner.
    async fn told_elsewhere(&self, notice: &Notice) -> bool {
        match &self.hand_on {
            Some(hand_on) => hand_on(notice.clone()).await,
            None => false,
        }
    }

    /// What became of it; none where that is not known yet.
    async fn follow(&self, due: &Due) -> Result<Option<&'static str>, Stop> {
        let notice = &due.notice;
        let whose = self.store.referred(&notice.rail, &notice.reference).await?;
        let Some(whose) = whose.filter(|whose| whose.owner == Side::Backend) else {
            return Ok(self.told_elsewhere(notice).await.then_some("handed_on"));
        };
        let (_, intent) = self.intent(&whose.shop, &whose.intent).await?;
        let named = intent.attempts().iter().find(|attempt| attempt.reference() == notice.reference);
        let named =
            named.map(Attempt::number).ok_or_else(|| Refusal::not_found("payment attempt", &notice.reference))?;
        let (rail, asked_at) = (self.rail_of(&intent)?, self.now());
        let said = rail.query(numbered(&intent, named)?).await;
        if said.answer == Answer::Nothing {
            return Ok(None);
        }
        self.hear(&whose.shop, &whose.intent, named, asked_at, &said).await?;
        // What follows from it follows at once.
        self.tend(&Woken { shop: whose.shop, intent: whose.intent, at: self.now() }).await?;
        Ok(Some("asked"))
    }
}
