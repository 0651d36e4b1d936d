//! How somebody meets a page who wants it to hold still, to fit, and to be had without a mouse; and what they say of it.

use crate::browser::{Browser, TAB};
use serde_json::Value;
use std::path::Path;

/// Tabs that lead from the top of a page to anything that is asked for.
const TABS_MAX: usize = 80;
/// Thousandths of the cumulative layout shift.
const SHIFTED_MAX: u64 = 50;
/// The largest picture that a document shows.
const PICTURE_BYTES_MAX: usize = 200_000;

/// Goes on with the tabulator until this element has the focus, and looks that the focus can be seen.
#[track_caller]
pub fn tab_to(browser: &Browser, selector: &str) {
    let is_there = format!("document.activeElement.matches({selector:?})");
    for _ in 0..TABS_MAX {
        browser.press(&TAB.to_string());
        if browser.run(&format!("return {is_there}")) == true {
            let outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle");
            assert_eq!(outline, "solid", "the focus on {selector} cannot be seen");
            return;
        }
    }
    panic!("{selector} is not reached by the tabulator:\n{}", browser.text());
}

#[track_caller]
pub fn nothing_is_complained_of(browser: &Browser) {
    assert_eq!(browser.messages(), Vec::<String>::new(), "the browser's console");
}

/// What of the page somebody would have to scroll sideways to see, or could not see at all: an element that cuts off more than
/// it shows, if it does not say so with dots, and anything to be touched that is not wholly on the screen. A part that is meant
/// to be scrolled sideways is marked with `data-wide`.
const WIDER: &str = "
    const named = (it) => `${it.nodeName}#${it.id}.${it.getAttribute('class') ?? ''}`;
    const isForEars = (it) => it && (getComputedStyle(it).clipPath.startsWith('inset(50%') || isForEars(it.parentElement));
    const isSeen = (it) => it.checkVisibility({visibilityProperty: true}) && it.getClientRects().length && !isForEars(it);
    const wider = [];
    for (const it of document.body.querySelectorAll('*')) {
      if (!isSeen(it) || it.closest('svg, [data-wide], .skip')) continue;
      const {overflowX, textOverflow, display} = getComputedStyle(it);
      const isField = it.matches('input, textarea, select');
      const cuts = overflowX !== 'visible' && textOverflow !== 'ellipsis' && display !== 'inline' && !isField;
      if (cuts && it.scrollWidth > it.clientWidth + 1) wider.push(`${named(it)} shows ${it.clientWidth} of ${it.scrollWidth}`);
      const {left, right} = it.getBoundingClientRect();
      const isOff = left < -0.5 || right > innerWidth + 0.5;
      if (isOff && it.matches('a, button, input:not([type=hidden]), select, textarea, summary')) {
        wider.push(`${named(it)} is at ${left} to ${right} of ${innerWidth}`);
      }
    }
    return wider;";

/// Fails if anything of the page that is open is wider than the screen, or than what it stands in.
#[track_caller]
pub fn it_fits(browser: &Browser, width: u32, page: &str) {
    let html = "document.documentElement";
    let fits = browser.run(&format!("return [{html}.scrollWidth, {html}.clientWidth, innerWidth]"));
    assert_eq!(fits[0], fits[1], "{page} at {width} is wider than the screen");
    assert_eq!(fits[2], width, "{page}");
    assert_eq!(browser.run(WIDER), Value::Array(Vec::new()), "{page} at {width}");
}

/// From now on counts what moves on the page though nobody has touched it.
pub fn watch_shifts(browser: &Browser) {
    browser.run(
        "const named = (it) => it.node ? `${it.node.nodeName}#${it.node.id ?? ''}.${it.node.className ?? ''}` : '?';
         const shifts = {sum: 0, moved: []};
         window.shifts = shifts;
         shifts.add = (list) => {
           for (const it of list.filter((it) => !it.hadRecentInput)) {
             shifts.sum += it.value;
             shifts.moved.push(`${it.value.toFixed(4)} ${it.sources.map(named).join(' ')}`);
           }
         };
         shifts.seen = new PerformanceObserver((list) => shifts.add(list.getEntries()));
         shifts.seen.observe({type: 'layout-shift', buffered: true});",
    );
}

/// Fails if more has moved on the page since it was loaded than a good page lets move: 0.05 of cumulative layout shift.
#[track_caller]
pub fn it_held_still(browser: &Browser, page: &str) {
    let said = browser.run(
        "const shifts = window.shifts; shifts.add(shifts.seen.takeRecords());
         return [Math.ceil(shifts.sum * 1000), shifts.moved.join('\\n')]",
    );
    let shifted = said[0].as_u64().expect("shifts are watched");
    let moved = said[1].as_str().unwrap_or_default();
    assert!(shifted <= SHIFTED_MAX, "{page}: moved by {shifted} thousandths:\n{moved}");
}

/// Keeps what is to be seen as this file, if somebody has asked for the pictures of the documents.
#[track_caller]
pub fn picture(browser: &Browser, file: &Path) {
    if std::env::var_os("BALIK_PICTURES").is_none() {
        return;
    }
    let picture = browser.picture();
    assert!(picture.len() <= PICTURE_BYTES_MAX, "{} has {} bytes", file.display(), picture.len());
    std::fs::create_dir_all(file.parent().expect("a picture stands in a folder")).expect("its folder can be made");
    std::fs::write(file, picture).expect("the picture can be written");
}

/// The texts of all elements that a selector names.
pub fn texts(browser: &Browser, selector: &str) -> Vec<String> {
    let said = browser.run(&format!("return [...document.querySelectorAll({selector:?})].map((it) => it.innerText)"));
    said.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
