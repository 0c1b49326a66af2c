// The page in the browser. Events say what a thing is like now; each is put
// where it belongs, and text from posts goes into text nodes only.
"use strict";

// As many of each kind as the server keeps.
const limits = { said: 1000, sent: 1000, row: 2000, run: 500, story: 20 };

const $ = (id) => document.getElementById(id);
const token = document.querySelector('meta[name="page-token"]').content;
const bots = [...document.querySelectorAll(".function")].map((e) => e.id.slice("function-".length));
const isBot = new Set(bots);

// What is known, by key. Maps keep the order of first events.
const known = { said: new Map(), sent: new Map(), row: new Map(), run: new Map(), story: new Map(), function: new Map(), world: new Map() };
const keyOf = {
  said: (e) => e.id, sent: (e) => e.id, row: (e) => `${e.bot}/${e.source}`, run: (e) => e.n, story: (e) => e.n,
  function: (e) => e.bot, world: () => "",
};

// el makes an element: el("p.quiet", "text", child, ...).
function el(what, ...children) {
  const [tag, ...classes] = what.split(".");
  const e = document.createElement(tag);
  if (classes.length) e.className = classes.join(" ");
  e.append(...children.filter((c) => c !== "" && c != null));
  return e;
}

const two = (n) => String(n).padStart(2, "0");
function clock(at) {
  const d = new Date(at);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}
function when(at) {
  const e = el("time", clock(at));
  e.dateTime = at;
  return e;
}
function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
const took = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

function words(pieces) {
  const p = el("p.words");
  p.dir = "auto";
  for (const piece of pieces) p.append(isBot.has(piece.bot) ? el(`mark.${piece.bot}`, piece.text) : piece.text);
  return p;
}
const plain = (pieces) => pieces.map((p) => p.text).join("");

// quote is the beginning of a source post; a bot's post may be one, too.
function quote(source, length) {
  const post = known.said.get(source) ?? known.sent.get(source);
  if (!post) return source;
  const text = plain(post.text);
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

// Ids are decimal numbers too long for a Number.
const newer = (a, b) => (a.length !== b.length ? a.length > b.length : a > b);

// Long lists stand in chunks, so that the browser deals only with those on the
// screen (see .chunk in style.css).
const chunkSize = 24;

// place puts a new child into a list, newest first, where order says. Nothing
// else is moved, so that what somebody reads stays where it is.
function place(list, child, order) {
  child.dataset.order = order;
  const chunks = [...(list.tBodies ?? list.children)];
  const chunk = chunks.find((c) => c.lastElementChild && newer(order, c.lastElementChild.dataset.order)) ?? chunks.at(-1);
  let at = chunk.firstElementChild;
  while (at && newer(at.dataset.order, order)) at = at.nextElementSibling;
  const first = at === chunk.firstElementChild;
  if (chunk.childElementCount < chunkSize || (at && !first)) {
    chunk.insertBefore(child, at);
    return;
  }
  const fresh = chunk.cloneNode(false);
  fresh.append(child);
  if (first) chunk.before(fresh);
  else chunk.after(fresh);
}

// drop takes a child out of its list.
function drop(child) {
  const chunk = child?.parentElement;
  child?.remove();
  if (chunk && !chunk.firstElementChild && chunk.parentElement.querySelector(".chunk:not(:empty)")) chunk.remove();
}

// ---- Timelines

const pairs = $("pairs");

function pair(source) {
  let e = $(`post-${source}`);
  if (!e) {
    e = el("li.pair");
    e.id = `post-${source}`;
    if (caughtUp) e.classList.add("new");
    place(pairs, e, source);
  }
  return e;
}

pairs.addEventListener("animationend", (e) => e.target.classList.remove("new"));

function post(who, at, text, link) {
  return el("div.post", el("header", el("b", `@${who}`), when(at), link), words(text));
}

function drawPair(source) {
  const said = known.said.get(source);
  if (!said) return;
  const became = el("div.became");
  for (const bot of bots) {
    const row = known.row.get(`${bot}/${source}`);
    const mine = row && (known.sent.get(row.post) ?? sentFor.get(`${bot}/${source}`));
    if (row) became.append(outcome(row, mine));
  }
  pair(source).replaceChildren(post(said.author, said.at, said.text), became);
}

// The posts of bots by bot and source, also before the ledger has their ids.
const sentFor = new Map();

function outcome(row, mine) {
  const out = el(`div.outcome.${row.bot}`, el("div.wire"));
  out.classList.add(row.state);
  if (mine) {
    const link = el("a", "its source");
    link.href = `#post-${row.source}`;
    out.append(post(row.bot, mine.at, mine.text, row.state === "posted" ? link : "not known to be out"));
  } else {
    out.append(el("p.note", el("span.name", row.bot), " ", stateInWords(row)));
  }
  return out;
}

function stateInWords(row) {
  switch (row.state) {
    case "pending": return row.reason ? `waits: ${row.reason}` : "will post it";
    case "posting": return row.due ? `does not know whether it is out, looks it up after ${clock(row.due)}` : "is posting it";
    case "posted": return "posted it";
    case "skipped": return `skipped it: ${row.reason}`;
    default: return `gave it up: ${row.reason}`;
  }
}

// A post whose source no row knows: its run did not come back.
function drawOrphan(sent) {
  const old = $(`post-${sent.id}`);
  if (sent.source) {
    drop(old);
    return;
  }
  const line = el(`div.outcome.posting.${sent.bot}`, el("div.wire"), post(sent.bot, sent.at, sent.text));
  pair(sent.id).replaceChildren(el("p.post.quiet", "The source of this post is not known yet."), el("div.became", line));
}

function drawTally() {
  const count = {};
  for (const row of known.row.values()) count[row.state] = (count[row.state] ?? 0) + 1;
  const told = ["pending", "posting", "posted", "skipped", "dead"].filter((s) => count[s]).map((s) => `${count[s]} ${s}`);
  $("tally").textContent = told.join(" · ");
}

// ---- Functions

function drawFunction(f) {
  const card = $(`function-${f.bot}`);
  const list = card.querySelector(".vars");
  list.replaceChildren(...f.vars.map((v) => {
    const dd = el("dd");
    if (v.parameter) {
      dd.append(el("span.from", `ssm:${v.parameter}`, v.field && el("wbr"), v.field && `#${v.field}`));
      const held = v.held ? `holds version ${v.held}` : "not read yet";
      const behind = v.held && v.held < v.newest;
      dd.append(v.value, " ", el(behind ? "span.ver.behind" : "span.ver", behind ? `${held}, newest is ${v.newest}` : held));
    } else {
      dd.append(v.value);
    }
    return el("div", el("dt", v.name), dd);
  }));
  const stops = card.querySelector(".stops");
  stops.hidden = !f.stops.length && !f.frozen;
  stops.textContent = [
    ...f.stops.map((s) => `Stopped (${s.what}) until ${clock(s.until)}: ${s.why}.`),
    ...(f.frozen ? [`Frozen until ${clock(f.frozen)}.`] : []),
  ].join(" ");
  drawAge(f);
}

// say changes a text, if it is another one.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function drawAge(f) {
  const age = (Date.now() - new Date(f.read)) / 1000;
  const text = f.read ? `holds settings read ${span(Math.max(0, age))} ago${f.stale ? ", stale" : ""}` : "holds nothing: the next run is cold";
  say(document.querySelector(`#function-${f.bot} .holds`), text);
}

// ---- Stories

function callList(run) {
  const list = el("ol.calls");
  for (const c of run.calls) {
    const bad = c.status < 200 || c.status > 299;
    const code = c.status ? `${c.status}${c.error ? ` ${c.error}` : ""}` : "no answer";
    list.append(el("li", el("span.at", `+${took(c.at_ms)}`), el("span.to", c.to), el("span.op", c.op), el(bad ? "span.code.bad" : "span.code", code)));
  }
  return list;
}

function drawStory(s) {
  $("no-story").hidden = true;
  let e = $(`story-${s.n}`);
  if (!e) {
    e = el("li.story");
    e.id = `story-${s.n}`;
    $("stories").prepend(e);
  }
  e.replaceChildren(el("h4", s.title, " "), el("p.quiet", when(s.at), " ", s.expect));
  for (const bot of bots.filter((b) => s.bots[b])) {
    const part = s.bots[bot];
    const box = el(`div.part.${bot}`);
    const run = known.run.get(part.run);
    box.append(el("p", el("span.name", bot), part.run ? ` in run ${part.run}: ` : " has not met it yet.", (part.tells ?? []).join(" ")));
    if (run) box.append(callList(run));
    for (const source of part.posts ?? []) {
      const row = known.row.get(`${bot}/${source}`);
      if (row) box.append(el("div.chain", el("q", quote(source, 70)), steps(row)));
    }
    e.append(box);
  }
}

function steps(row) {
  const list = el("ol.steps");
  for (const step of row.history) list.append(el("li", el(`span.state.${step.state}`, step.state), step.reason ? ` ${step.reason}` : "", " ", el("span.quiet", clock(step.at))));
  return list;
}

// ---- Runs

function cell(label, className, ...children) {
  const td = el(className ? `td.${className}` : "td", ...children);
  td.dataset.label = label;
  td.setAttribute("role", "cell");
  return td;
}

// tableRow is the row with an id, which is put into its table if it is new.
function tableRow(table, id, order) {
  let tr = $(id);
  if (!tr) {
    tr = el("tr");
    tr.id = id;
    tr.setAttribute("role", "row");
    place(table, tr, order);
  }
  return tr;
}

function drawRun(run) {
  const tr = tableRow($("run-rows"), `run-${run.n}`, String(run.n));
  const skipped = Object.entries(run.skipped ?? {}).map(([reason, n]) => `${reason} ${n}`).join(", ");
  const log = el("button", "Open", el("span.unseen", ` run ${run.n}`));
  log.type = "button";
  log.setAttribute("aria-expanded", String(Boolean($(`log-${run.n}`))));
  log.addEventListener("click", () => openRun(run, tr, log));
  const end = run.error ? ["failed", run.error] : run.stopped ? ["stopped", run.stopped] : ["", run.unknown ? `${run.unknown} unknown` : "done"];
  tr.replaceChildren(
    cell("Run", "", `${run.n} `, el("span.quiet", clock(run.at))),
    cell("Bot", `name.${run.bot}`, run.bot),
    cell("Start", "", (run.cold ? "cold" : "warm") + (run.twin ? ", twin" : "")),
    cell("Took", "n", took(run.ms + run.init_ms)),
    cell("Store calls", "n", run.twin ? `${run.reads} in both` : String(run.reads)),
    cell("Config age", "n", run.error ? "" : span(run.age) + (run.stale ? ", stale" : "")),
    cell("Found", "n", String(run.found)),
    cell("Posted", "n", String(run.posted)),
    cell("Skipped", "", skipped || "0"),
    cell("Outcome", end[0], end[1]),
    cell("", "", log),
  );
}

async function openRun(run, tr, button) {
  const old = $(`log-${run.n}`);
  button.setAttribute("aria-expanded", String(!old));
  button.firstChild.data = old ? "Open" : "Close";
  if (old) {
    old.remove();
    return;
  }
  const box = el("td.wide");
  box.colSpan = 11;
  box.setAttribute("role", "cell");
  const detail = el("tr.open", box);
  detail.id = `log-${run.n}`;
  detail.dataset.order = String(run.n);
  detail.setAttribute("role", "row");
  tr.after(detail);
  const log = el("pre", "reading the log");
  log.tabIndex = 0;
  log.setAttribute("role", "region");
  log.setAttribute("aria-label", `Log of run ${run.n}`);
  box.append(el("p", run.tells.join(" ")), callList(run), log);
  const answer = await fetch(`/runs/${run.n}/log`).catch(() => null);
  log.textContent = answer ? await answer.text() : "The server does not answer.";
}

// ---- Ledger

function drawRow(row) {
  const tr = tableRow($("ledger-rows"), `row-${row.bot}-${row.source}`, row.source);
  const link = el("a.excerpt", quote(row.source, 200));
  link.href = `#post-${row.source}`;
  link.dir = "auto";
  tr.replaceChildren(
    cell("", "", link),
    cell("", `name.${row.bot}`, row.bot),
    cell("", `state.${row.state}`, row.state),
    cell("", "wide", steps(row)),
  );
}

// ---- Schedule

let every; // as last drawn; what somebody types stays until the schedule changes

function drawWorld(w) {
  if (w.every_ms !== every) {
    every = w.every_ms;
    $("every").value = Math.round(every / 1000) || 1;
  }
  $("pause").textContent = w.paused ? "Go on" : "Pause";
  for (const b of document.querySelectorAll("[data-fault]")) b.setAttribute("aria-pressed", String(w.broken.includes(b.dataset.fault)));
}

function tick() {
  const w = known.world.get("");
  if (w) {
    const left = Math.ceil((new Date(w.next) - Date.now()) / 1000);
    say($("next"), w.paused ? "paused" : left > 0 ? `next in ${left} s` : "ticking");
  }
  for (const f of known.function.values()) drawAge(f);
}
setInterval(tick, 1000);

// ---- Events

// Events are noted as they come and drawn once a frame.
let changed = new Map();
let asked = false;
let caughtUp = false;

function draw() {
  asked = false;
  const news = changed;
  changed = new Map();
  const kinds = Map.groupBy(news.values(), (c) => c.kind);
  const each = (kind, f) => kinds.get(kind)?.forEach((c) => known[kind].has(c.key) && f(known[kind].get(c.key)));
  const sources = new Set();
  each("said", (e) => sources.add(e.id));
  each("row", (e) => sources.add(e.source));
  each("sent", (e) => {
    if (e.source) {
      sentFor.set(`${e.bot}/${e.source}`, e);
      sources.add(e.source);
    }
    drawOrphan(e);
  });
  sources.forEach(drawPair);
  each("row", drawRow);
  each("said", (e) => bots.forEach((b) => known.row.has(`${b}/${e.id}`) && drawRow(known.row.get(`${b}/${e.id}`))));
  each("run", drawRun);
  known.story.forEach((s) => tellsOf(s, news) && drawStory(s));
  each("function", drawFunction);
  each("world", drawWorld);
  if (kinds.has("row")) drawTally();
  tick();
  caughtUp = true;
}

// tellsOf is true of a story that shows any of the news.
const tellsOf = (s, news) => news.has(`story/${s.n}`) || Object.entries(s.bots).some(([bot, part]) =>
  news.has(`run/${part.run}`) || part.posts?.some((source) => news.has(`row/${bot}/${source}`)));

function note(kind, message) {
  const thing = JSON.parse(message.data);
  const key = keyOf[kind](thing);
  known[kind].set(key, thing);
  changed.set(`${kind}/${key}`, { kind, key });
  if (known[kind].size > limits[kind]) forget(kind);
  if (!asked) {
    asked = true;
    requestAnimationFrame(draw);
  }
}

function forget(kind) {
  const [key, thing] = known[kind].entries().next().value;
  known[kind].delete(key);
  changed.delete(`${kind}/${key}`); // nothing is drawn while the page is hidden
  switch (kind) {
    case "said": drop($(`post-${key}`)); break;
    case "sent": sentFor.delete(`${thing.bot}/${thing.source}`); drop($(`post-${key}`)); break;
    case "row": drop($(`row-${thing.bot}-${thing.source}`)); break;
    case "run": drop($(`log-${key}`)); drop($(`run-${key}`)); break;
    case "story": $(`story-${key}`)?.remove(); break;
  }
}

function connection(live) {
  $("connection").textContent = live ? "live" : "connection lost, trying again";
  $("connection").classList.toggle("live", live);
}

const events = new EventSource("/events");
events.addEventListener("open", () => connection(true));
events.addEventListener("error", () => connection(false));
events.addEventListener("reload", () => location.reload()); // the server was started anew
for (const kind of Object.keys(known)) events.addEventListener(kind, (m) => note(kind, m));

// ---- Buttons

async function press(path) {
  const problem = $("problem");
  try {
    const answer = await fetch(path, { method: "POST", headers: { "X-Page-Token": token } });
    problem.hidden = answer.ok;
    problem.textContent = answer.ok ? "" : await answer.text();
  } catch {
    problem.hidden = false;
    problem.textContent = "The server does not answer. Is it still running?";
  }
}

document.addEventListener("click", (e) => {
  const button = e.target.closest("[data-post]");
  if (button) press(button.dataset.post);
});
$("pause").addEventListener("click", () => press(known.world.get("")?.paused ? "/resume" : "/pause"));
$("step").addEventListener("click", () => press("/step"));
$("schedule").addEventListener("submit", (e) => {
  e.preventDefault();
  press(`/every/${$("every").valueAsNumber}`);
});
