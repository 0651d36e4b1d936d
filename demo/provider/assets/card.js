// The card became a token: the page around this one is told, if it is whose it says it is.
const taken = document.querySelector("#taken");
if (taken && parent !== self) parent.postMessage({ token: taken.dataset.token }, taken.dataset.for);
