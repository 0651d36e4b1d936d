//! A real browser: headless Chromium behind chromedriver, spoken to in the few words of WebDriver that tests need.
//!
//! By hand, because the crates for it bring a licence that asks something of who uses it, and neither what the browser
//! wrote to its console nor the width of a phone is among their words. Calls block: a test runs its server on other threads.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything is waited for: a slot of a server begins only after the transactions of everybody else on it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a profile may take to be removed.
const PROFILE_GONE_MAX: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);
/// Longer than anything on a page moves.
const SLIDES_MAX: Duration = Duration::from_secs(5);

pub const TAB: char = '\u{e004}';
pub const ENTER: char = '\u{e007}';

static BROWSERS: AtomicU32 = AtomicU32::new(0);

/// One browser with one page; it ends with this.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: PathBuf,
    /// Kept open: the driver may say more.
    _output: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts one. Where there is none the test fails and says what is missing.
    pub fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver cannot be started: apt-get install chromium chromium-driver");
        let mut output = BufReader::new(driver.stdout.take().expect("the driver's output is ours"));
        let port = port(&mut output);
        let number = BROWSERS.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("balik-chromium-{}-{number}", std::process::id()));
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            "--lang=en",
            "--window-size=1280,900",
        ];
        let arguments: Vec<String> = arguments
            .into_iter()
            .map(str::to_owned)
            .chain([format!("--user-data-dir={}", profile.display())])
            .collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let mut browser = Self { driver, port, session: String::new(), profile, _output: output };
        let made = browser.ask("POST", "/session", &wanted);
        browser.session = made["sessionId"].as_str().expect("a session has an id").to_owned();
        browser
    }

    pub fn open(&self, url: &str) {
        self.of_session("POST", "/url", &json!({"url": url}));
    }

    /// What a script answers; it says `return`.
    pub fn run(&self, script: &str) -> Value {
        self.of_session("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// The same where the answer comes later: the script calls its last argument with it.
    pub fn run_later(&self, script: &str) -> Value {
        self.of_session("POST", "/execute/async", &json!({"script": script, "args": []}))
    }

    /// Waits until an expression of the page is true.
    #[track_caller]
    pub fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression})")) != json!(true) {
            assert!(Instant::now() < deadline, "never true: {expression}\n{}", self.text());
            std::thread::sleep(LOOK);
        }
    }

    /// From now on the page is what this frame shows, until [`Self::leave_frame`].
    #[track_caller]
    pub fn enter_frame(&self, selector: &str) {
        let found = self.of_session("POST", "/element", &json!({"using": "css selector", "value": selector}));
        self.of_session("POST", "/frame", &json!({"id": found}));
    }

    /// The page is the whole one again.
    pub fn leave_frame(&self) {
        self.of_session("POST", "/frame", &json!({"id": null}));
    }

    /// Waits for a second window, does this in it, and closes it.
    #[track_caller]
    pub fn in_the_other_window(&self, work: impl FnOnce(&Self)) {
        let ours = self.of_session("GET", "/window", &Value::Null);
        let deadline = Instant::now() + PATIENCE;
        let other = loop {
            let all = self.of_session("GET", "/window/handles", &Value::Null);
            let other = all.as_array().into_iter().flatten().find(|handle| **handle != ours).cloned();
            if let Some(other) = other {
                break other;
            }
            assert!(Instant::now() < deadline, "no other window opens");
            std::thread::sleep(LOOK);
        };
        self.of_session("POST", "/window", &json!({"handle": other}));
        work(self);
        self.of_session("DELETE", "/window", &Value::Null);
        self.of_session("POST", "/window", &json!({"handle": ours}));
    }

    /// From now on this site takes us for somebody who was never here.
    pub fn forget(&self) {
        self.of_session("DELETE", "/cookie", &Value::Null);
    }

    /// All that the page shows.
    pub fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Presses these keys, one after the other, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let key = |key: char| [("keyDown", key), ("keyUp", key)].map(|(act, key)| json!({"type": act, "value": key}));
        let actions: Vec<Value> = keys.chars().flat_map(key).collect();
        self.of_session("POST", "/actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}));
    }

    /// Clicks with the mouse, in the middle of the one element that this names, where a person would see it.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let begun = Instant::now();
        loop {
            let found = self.of_session("POST", "/element", &json!({"using": "css selector", "value": selector}));
            let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
            let path = format!("/session/{}/element/{}/click", self.session, id.expect("an element has an id"));
            let answer = self.try_ask("POST", &path, &json!({})).unwrap_or_else(|error| panic!("{path}: {error}"));
            let said = &answer["value"];
            // What slides in is not where it will be, and what was exchanged since it was found has another in its place:
            // nothing was clicked, and a person would try again.
            let not_yet =
                ["element click intercepted", "stale element reference"].iter().any(|no| said["error"] == *no);
            if not_yet && begun.elapsed() < SLIDES_MAX {
                std::thread::sleep(LOOK);
                continue;
            }
            assert!(said.get("error").is_none(), "click on {selector}: {said}");
            return;
        }
    }

    /// What is to be seen, as a PNG.
    pub fn picture(&self) -> Vec<u8> {
        let text = self.of_session("GET", "/screenshot", &Value::Null);
        bytes(text.as_str().unwrap_or_default())
    }

    /// Makes the screen so large, narrower than a window can be.
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics});
        self.of_session("POST", "/goog/cdp/execute", &command);
    }

    /// Shows pages as whoever prefers this, `light` or `dark`.
    pub fn scheme(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let command = json!({"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}});
        self.of_session("POST", "/goog/cdp/execute", &command);
    }

    /// Shows the page as it would be printed.
    pub fn on_paper(&self) {
        let command = json!({"cmd": "Emulation.setEmulatedMedia", "params": {"media": "print"}});
        self.of_session("POST", "/goog/cdp/execute", &command);
    }

    /// What the browser wrote to its console since the last time, each with its level.
    pub fn messages(&self) -> Vec<String> {
        let said = self.of_session("POST", "/se/log", &json!({"type": "browser"}));
        let said = said.as_array().cloned().unwrap_or_default();
        said.iter().map(|line| format!("{} {}", line["level"], line["message"])).collect()
    }

    fn of_session(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, &format!("/session/{}{path}", self.session), body)
    }

    /// One request; an error of the driver fails the test.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_ask(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let value = answer["value"].clone();
        assert!(value.get("error").is_none(), "{method} {path}: {value}");
        value
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
        // A request that ends the session has no body, and is refused with one.
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line)?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }
}

/// Base64, as the driver writes pictures.
fn bytes(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => u32::from(letter - b'A'),
        b'a'..=b'z' => u32::from(letter - b'a') + 26,
        b'0'..=b'9' => u32::from(letter - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text.bytes().filter(|letter| !matches!(letter, b'=' | b'\n' | b'\r')).collect();
    let group = |letters: &[u8]| {
        let (sum, bits) = letters.iter().fold((0_u32, 0_u32), |(sum, bits), it| ((sum << 6) | value(*it), bits + 6));
        let [_, whole @ ..] = (sum << (24 - bits)).to_be_bytes();
        whole.into_iter().take(letters.len() - 1).collect::<Vec<u8>>()
    };
    letters.chunks(4).flat_map(group).collect()
}

/// The port that the driver says it took.
fn port(output: &mut BufReader<ChildStdout>) -> u16 {
    let mut said = String::new();
    while output.read_line(&mut said).is_ok_and(|read| read > 0) {
        if let Some((_, port)) = said.split_once("started successfully on port ") {
            return port.trim().trim_end_matches('.').parse().expect("a port is a number");
        }
    }
    panic!("chromedriver did not start: {said}")
}

impl Drop for Browser {
    /// The session's end is the browser's: the driver answers when it is gone, and is killed then.
    fn drop(&mut self) {
        if let Err(error) = self.try_ask("DELETE", &format!("/session/{}", self.session), &Value::Null) {
            eprintln!("the browser did not end: {error}");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // Its helpers may still write for a moment.
        let deadline = Instant::now() + PROFILE_GONE_MAX;
        while std::fs::remove_dir_all(&self.profile).is_err() && self.profile.exists() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn pictures_are_read_to_the_last_byte() {
        for (text, read) in [("", ""), ("UA==", "P"), ("UE4=", "PN"), ("UE5H", "PNG"), ("UE5HIQ==", "PNG!")] {
            assert_eq!(bytes(text), read.as_bytes(), "{text}");
        }
    }
}
