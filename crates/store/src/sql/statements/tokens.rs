//! Rust's own text as far as it has to be read to find literals: words, signs, and what literals say.
//!
//! Absent on purpose: what any of it means.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Sign(char),
    /// What a literal says; bytes are no statement.
    Text(String),
}

impl Token {
    pub fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }

    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Sign(_) | Self::Text(_) => None,
        }
    }
}

pub type Tokens = Vec<(Token, usize)>;

/// The tokens of a file with the line of each; comments are none.
pub fn tokens(text: &str) -> Tokens {
    let chars: Vec<char> = text.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let (begun, c) = (at, chars[at]);
        let token = match (c, chars.get(at + 1)) {
            ('/', Some('/')) => {
                at = (at..chars.len()).find(|end| chars[*end] == '\n').unwrap_or(chars.len());
                None
            }
            ('/', Some('*')) => {
                at = end_of_comment(&chars, at);
                None
            }
            ('\'', _) => {
                at = end_of_char(&chars, at);
                None
            }
            _ => token(&chars, &mut at),
        };
        found.extend(token.map(|token| (token, line)));
        line += chars[begun..at].iter().filter(|c| **c == '\n').count();
    }
    found
}

/// What begins here, and goes on to where `at` is then; blanks are no token.
fn token(chars: &[char], at: &mut usize) -> Option<Token> {
    let begun = *at;
    if let Some((text, end)) = literal(chars, begun) {
        *at = end;
        return Some(Token::Text(text));
    }
    let is_of_word = |c: &char| c.is_alphanumeric() || *c == '_';
    *at += chars[begun..].iter().take_while(|c| is_of_word(c)).count().max(1);
    let c = chars[begun];
    match is_of_word(&c) {
        true => Some(Token::Word(chars[begun..*at].iter().collect())),
        false => (!c.is_whitespace()).then_some(Token::Sign(c)),
    }
}

fn end_of_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

/// Behind a character, or behind the sign of a lifetime.
fn end_of_char(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => (at + 3..chars.len()).find(|end| chars[*end] == '\'').map_or(chars.len(), |end| end + 1),
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}

/// A literal of text that begins here, and where it ends.
fn literal(chars: &[char], at: usize) -> Option<(String, usize)> {
    let mut start = at;
    while matches!(chars.get(start), Some('r' | 'b' | 'c')) && start < at + 2 {
        start += 1;
    }
    let hashes = (start..).take_while(|n| chars.get(*n) == Some(&'#')).count();
    let is_raw = chars[at..start].contains(&'r');
    if chars.get(start + hashes) != Some(&'"') || (hashes > 0 && !is_raw) {
        return None;
    }
    let (mut text, mut n) = (String::new(), start + hashes + 1);
    loop {
        match *chars.get(n)? {
            '"' if (1..=hashes).all(|more| chars.get(n + more) == Some(&'#')) => return Some((text, n + 1 + hashes)),
            '\\' if !is_raw => n = escaped(chars, n + 1, &mut text),
            c => {
                text.push(c);
                n += 1;
            }
        }
    }
}

/// What is written with a backslash before it.
fn escaped(chars: &[char], at: usize, text: &mut String) -> usize {
    match chars.get(at) {
        // The line goes on behind the blanks of the next one.
        Some('\n') => {
            return (at..chars.len()).find(|n| !chars[*n].is_whitespace()).unwrap_or(chars.len());
        }
        Some('n') => text.push('\n'),
        Some('t') => text.push('\t'),
        Some('0') => text.push('\0'),
        Some(c) => text.push(*c),
        None => {}
    }
    at + 1
}

/// Where the bracket that is open at `at` is closed.
pub fn closing(tokens: &[(Token, usize)], at: usize) -> usize {
    let mut depth = 0;
    for (n, (token, _)) in tokens.iter().enumerate().skip(at) {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth -= 1,
            Token::Sign(_) | Token::Word(_) | Token::Text(_) => {}
        }
        if depth == 0 {
            return n;
        }
    }
    panic!("a bracket is not closed");
}
