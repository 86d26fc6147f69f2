// Puts what is new into the page every ten seconds, without loading it anew: nothing flickers, nothing scrolls.
// Without this script the page is the same and is loaded anew once a minute.
"use strict";
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [now, next] = [document.querySelector("main"), page.querySelector("main")];
    if (now && next && now.innerHTML !== next.innerHTML) now.replaceWith(next);
  } catch {
    // The daemon is being started anew: the next time will tell.
  }
}, 10000);
