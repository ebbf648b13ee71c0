// Shows new events on top of the list, every two seconds, until paused or out of sight.

const EVERY = 2000;
const ROWS_MAX = 500;
const live = document.getElementById("live");
const list = document.getElementById("events");
const pause = document.getElementById("pause");
const count = document.getElementById("count");
const problem = document.getElementById("problem");
const counted = document.getElementById("counted").content.textContent;
let position = "";
let paused = false;
let seen = 0;

const linked = (text, address) => {
  const made = document.createElement(address ? "a" : "span");
  if (address) made.href = address;
  made.textContent = text;
  return made;
};

const cut = (id) => document.getElementById(id).content.cloneNode(true);

const rowOf = (event) => {
  const row = cut("row").firstElementChild;
  const [time, name, user, resources, result] = row.children;
  time.firstElementChild.dateTime = event.at;
  time.firstElementChild.textContent = event.utc;
  const link = name.querySelector("a");
  link.href = event.address;
  link.textContent = event.name;
  name.querySelector("span").textContent = event.source;
  user.textContent = event.user;
  for (const one of event.resources) {
    resources.append(linked(one.name, one.address), document.createElement("br"));
  }
  const badge = cut(event.error ? "refused" : "done");
  if (event.error) badge.firstElementChild.textContent = event.error;
  result.append(badge);
  return row;
};

const ask = async () => {
  const source = new URL(live.dataset.source, location.href);
  if (position) source.searchParams.set("after", position);
  const answer = await fetch(source, { cache: "no-store" });
  if (answer.redirected) location.reload();
  const found = await answer.json();
  problem.hidden = !found.problem;
  problem.textContent = found.problem ?? "";
  if (found.problem) return false;
  position = found.position ?? position;
  for (const event of found.events) list.prepend(rowOf(event));
  while (list.children.length > ROWS_MAX) list.lastElementChild.remove();
  seen += found.events.length;
  count.textContent = `${counted} ${seen}`;
  return found.more;
};

const again = async () => {
  let more = false;
  if (!paused && !document.hidden) {
    try {
      more = await ask();
    } catch {
      // The console may be away for a moment: ask again.
    }
  }
  setTimeout(again, more ? 0 : EVERY);
};

pause.disabled = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? live.dataset.resume : live.dataset.pause;
});
again();
