// The panel: it draws what the kernel sends, and sends back what the user asks for. It owns focus and scroll, no more.
// All words come from the kernel, and go into the page as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";
const FOCUSABLE = new Set(["button", "input", "select", "summary"]);
const ENDINGS = new Set(["starting", "restarting", "autorestarting", "terminating", "dead"]);
const ANSWER_SECONDS = 0.5; // of silence, and the kernel is called busy
const GIVE_UP_SECONDS = 3; // of silence while the kernel isn't busy, and this is a picture of what was

// ---- elements: h() says what is wanted, patch() makes it so and leaves alone what is so already, focus and all

function h(tag, props, ...children) {
  const given = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  return { tag, props: props ?? {}, children: given };
}

function patch(parent, wanted) {
  const there = new Map();
  for (const [index, node] of [...parent.childNodes].entries()) there.set(node.ckKey ?? `#${index}`, node);
  const kept = wanted.map((item, index) => {
    const key = item.props?.key ?? `#${index}`;
    const old = there.get(key);
    const node = old !== undefined && isAlike(old, item) ? old : create(item, parent);
    if (item.props?.key !== undefined) node.ckKey = key;
    return node;
  });
  const staying = new Set(kept);
  for (const node of [...parent.childNodes]) if (!staying.has(node)) node.remove();
  for (const [index, node] of kept.entries()) {
    if (parent.childNodes[index] !== node) parent.insertBefore(node, parent.childNodes[index] ?? null);
    update(node, wanted[index]);
  }
}

function isAlike(node, item) {
  return typeof item !== "object" ? node.nodeType === Node.TEXT_NODE : node.localName === item.tag;
}

function create(item, parent) {
  if (typeof item !== "object") return document.createTextNode("");
  const isDrawn = item.tag === "svg" || parent.namespaceURI === SVG;
  const node = isDrawn ? document.createElementNS(SVG, item.tag) : document.createElement(item.tag);
  // A notebook's own shortcuts must not act on it: `d d` on a button would delete the cell.
  if (FOCUSABLE.has(item.tag) || "tabindex" in item.props) node.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const [name, value] of Object.entries(item.props.first ?? {})) node[name] = value;
  return node;
}

function update(node, item) {
  if (typeof item !== "object") {
    if (node.data !== String(item)) node.data = String(item);
    return;
  }
  const before = node.ckProps ?? {};
  for (const name of Object.keys(before)) if (!(name in item.props)) setProp(node, name, undefined);
  for (const [name, value] of Object.entries(item.props)) if (before[name] !== value) setProp(node, name, value);
  node.ckProps = item.props;
  patch(node, item.children);
  // Now that the options of a select are there. What is being typed is the user's.
  const { value } = item.props;
  if (value !== undefined && node.value !== value && (item.tag === "select" || !hasFocus(node))) node.value = value;
}

function setProp(node, name, value) {
  if (name === "key" || name === "first" || name === "value") return;
  if (name.startsWith("on")) node[name] = value ?? null;
  else if (name === "checked" || name === "indeterminate") node[name] = Boolean(value);
  else if (value === undefined || value === null || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : value);
}

const hasFocus = (node) => node.getRootNode().activeElement === node;

// ---- the parts of the panel, each from what the kernel sent

function strip(facts) {
  const item = ({ name, value, note }) =>
    h("li", { key: name }, h("span", { class: "ck-note" }, `${name} `), h("span", { class: "ck-number" }, `${value} `), h("span", { class: "ck-note" }, note));
  return h("ul", { key: "strip", class: "ck-strip", "aria-label": "Summary" }, facts.map(item));
}

function choice(panel, label, by, chosen, choices) {
  const onchange = (event) => panel.send({ do: "filter", by, value: event.target.value });
  const options = [["", "all"], ...choices].map(([value, words]) => h("option", { key: value, value }, words));
  for (const option of options) option.props.first = { value: option.props.value };
  return h("label", null, label, h("select", { value: chosen, disabled: !panel.isLive, onchange }, options));
}

function toolbar(panel, view) {
  const { query, choices } = view;
  const oninput = (event) => panel.sendSoon({ do: "search", text: event.target.value });
  const isArmed = view.armed === "delete";
  return h(
    "div",
    { key: "tools", class: "ck-tools", role: "group", "aria-label": "Search, filters and actions" },
    h("label", { class: "ck-search" }, "Search", h("input", {
      type: "search", value: query.search, placeholder: "label, tag, variable, error", disabled: !panel.isLive, oninput,
    })),
    choice(panel, "Kind", "kind", query.kind, choices.kind),
    choice(panel, "Status", "status", query.status, choices.status),
    choice(panel, "Tag", "tag", query.tag, choices.tag),
    button(panel, "Refresh", { do: "refresh" }, { title: "Read the store anew" }),
    view.selected > 0 && armable(panel, view.delete, { do: "delete" }, isArmed && "delete", { key: "delete" }),
  );
}

function button(panel, words, intent, props) {
  const onclick = () => panel.isLive && panel.send(intent);
  return h("button", { type: "button", "aria-disabled": panel.isLive ? undefined : "true", onclick, ...props }, words);
}

// A first click arms it, a second one does it; to leave it, or Escape, disarms it.
function armable(panel, words, intent, armed, props) {
  const sent = armed ? { ...intent, armed } : intent;
  const onblur = armed ? () => panel.send({ do: "disarm" }) : undefined;
  return button(panel, words, sent, { class: armed ? "ck-armed" : undefined, onblur, ...props });
}

function table(panel, view) {
  const shown = view.rows.map((row) => row.key);
  const chosen = view.rows.filter((row) => row.selected).length;
  const onall = (event) => panel.send({ do: "select", keys: shown, on: event.target.checked });
  const all = h("input", {
    type: "checkbox", "aria-label": "Select all on this page", checked: shown.length > 0 && chosen === shown.length,
    indeterminate: chosen > 0 && chosen < shown.length, disabled: !panel.isLive, onchange: onall,
  });
  const head = h("tr", null, h("th", { scope: "col", class: "ck-check" }, all), view.columns.map((c) => columnHead(panel, view.query, c)));
  const running = view.running.map((run) => runningRow(view.columns, run));
  const rows = view.rows.map((row) => tableRow(panel, view, row));
  return h(
    "div",
    { key: "table", class: "ck-box", role: "region", "aria-label": "Checkpoints", tabindex: "0" },
    h("table", null, h("caption", { class: "ck-hidden" }, `Checkpoints in ${view.place}`),
      h("thead", null, head), h("tbody", { onkeydown: walk }, running, rows)),
  );
}

function columnHead(panel, query, column) {
  const isSorted = column.order !== null && query.order === column.order;
  const sort = isSorted ? (query.descending ? "descending" : "ascending") : column.order === null ? undefined : "none";
  const arrow = h("span", { "aria-hidden": "true", class: "ck-arrow" }, isSorted ? (query.descending ? "▼" : "▲") : "");
  const words = column.order === null ? column.label : button(panel, [column.label, arrow], { do: "sort", by: column.order });
  return h("th", { key: column.id, scope: "col", class: `ck-${column.id}`, "aria-sort": sort }, words);
}

function runningRow(columns, run) {
  const cells = { status: statusOf({ status: "computing", glyph: "▶" }), label: [run.label, kindOf(run)] };
  return h("tr", { key: `running ${run.key}`, class: "ck-running" }, h("td"), columns.map((c) => h("td", { class: `ck-${c.id}` }, cells[c.id] ?? "")));
}

function tableRow(panel, view, row) {
  const isOpen = view.opened === row.key;
  const onchange = (event) => panel.send({ do: "select", keys: [row.key], on: event.target.checked });
  const check = h("input", { type: "checkbox", "aria-label": `Select ${row.label}`, checked: row.selected, disabled: !panel.isLive, onchange });
  const open = button(panel, row.label, isOpen ? { do: "close" } : { do: "open", key: row.key }, {
    class: "ck-open", "aria-expanded": String(isOpen), title: isOpen ? "Close the details" : "Show the details",
  });
  const cells = {
    status: [statusOf(row), row.pinned && h("span", { class: "ck-pinned" }, h("span", { "aria-hidden": "true" }, "⚑ "), "pinned")],
    tags: row.tags.join(", "),
    outputs: row.outputs.join(", "),
    last_used: h("span", { title: row.last_used_exactly }, row.last_used),
    spark: row.spark.length > 0 && sparkline(row.spark),
  };
  const cell = (column) =>
    column.id === "label"
      ? h("th", { key: "label", scope: "row", class: "ck-label" }, open, kindOf(row))
      : h("td", { key: column.id, class: `ck-${column.id}` }, cells[column.id] ?? row[column.id] ?? "");
  return h("tr", { key: row.key, class: isOpen ? "ck-opened" : undefined }, h("td", { class: "ck-check" }, check), view.columns.map(cell));
}

const kindOf = (row) => h("span", { class: "ck-note" }, ` ${row.kind}`);

function statusOf(row) {
  const title = row.failure || undefined;
  return h("span", { class: `ck-state ck-${row.status}-state`, title }, h("span", { "aria-hidden": "true" }, `${row.glyph} `), row.status);
}

function sparkline(counts) {
  const most = Math.max(...counts);
  const bars = counts.map((count, index) => {
    const height = count === 0 ? 0.5 : 2 + (14 * count) / most;
    return h("rect", { x: index * 5, y: 16 - height, width: 4, height });
  });
  const words = `Restores since it was kept: ${counts.join(", ")}`;
  return h("svg", { class: "ck-spark", viewBox: "0 0 60 16", width: "60", height: "16", role: "img", "aria-label": words }, bars);
}

// Up and down go from checkpoint to checkpoint.
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || !event.target.classList.contains("ck-open")) return;
  const buttons = [...event.currentTarget.querySelectorAll(".ck-open")];
  const next = buttons[buttons.indexOf(event.target) + step];
  if (next) next.focus();
  event.preventDefault();
}

function pager(panel, { number, count, words }) {
  const turn = (name, to) => {
    const isOn = to >= 0 && to < count && panel.isLive;
    const onclick = () => isOn && panel.send({ do: "page", number: to });
    return h("button", { type: "button", "aria-disabled": isOn ? undefined : "true", onclick }, name);
  };
  return h("nav", { key: "pager", class: "ck-pager", "aria-label": "Pages" }, turn("Previous", number - 1), h("span", null, words), turn("Next", number + 1));
}

// ---- the details of a record

function detailsOf(panel, details) {
  const close = button(panel, "Close", { do: "close" });
  if (details.problem) return section("Details", [h("p", { role: "alert" }, details.problem), close], "ck-details");
  const fact = ([name, value]) => h("li", { key: name }, h("span", { class: "ck-note" }, `${name} `), h("span", null, value));
  const facts = h("ul", { class: "ck-facts" }, details.facts.map(fact));
  return h(
    "section",
    { key: details.key, class: "ck-details", "aria-label": `Details of ${details.label}` },
    h("div", { class: "ck-title" }, h("strong", null, details.label), kindOf(details), statusOf(details), close),
    actions(panel, details),
    details.failure && failureOf(panel, details.failure),
    facts,
    details.notes.length > 0 && section("Notes", h("ul", null, details.notes.map((note) => h("li", null, note)))),
    details.why && section("Why it ran the last time", h("pre", { tabindex: "0" }, details.why)),
    details.against && section(`Compared with ${details.against}`, changesOf(details.changes)),
    details.code && section("Code", h("pre", { tabindex: "0", class: "ck-code" }, details.code)),
    details.outputs.length > 0 && section("Outputs", grid(["Name", "Type", "Size", "Preview", "How"], details.outputs.map((o) => [o.name, o.type, o.size, o.preview, o.role]))),
    details.ingredients.length > 0 && section("Ingredients", grid(["Kind", "Name", "Preview", "Digest"], details.ingredients.map((i) => [i.kind, i.name, i.preview, i.digest]))),
    details.trace.length > 0 && section("Files", details.trace.map((t) => h("div", null, h("strong", null, `${t.what}: `), t.names.join(", ")))),
    section("Environment", [h("p", null, details.environment.then), differencesOf(details.environment.differences)]),
    history(panel, details),
  );
}

function section(name, content, kind) {
  return h("section", { key: name, class: kind ?? "ck-section", "aria-label": name }, h("strong", { class: "ck-head" }, name), content);
}

function grid(heads, rows) {
  return h("div", { class: "ck-box", role: "region", "aria-label": heads.join(", "), tabindex: "0" }, h("table", null,
    h("thead", null, h("tr", null, heads.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", null, rows.map((cells) => h("tr", null, cells.map((cell) => h("td", null, cell)))))));
}

function differencesOf(differences) {
  if (differences.length === 0) return h("p", null, "The packages of now are those of then.");
  return grid(["What", "Then", "Now"], differences);
}

function changesOf(changes) {
  if (changes.length === 0) return h("p", null, "Nothing.");
  const line = (text) => h("span", { class: text.startsWith("+") ? "ck-added" : text.startsWith("-") ? "ck-removed" : undefined }, `${text}\n`);
  return h("ul", null, changes.map((change) => h("li", null, change.what,
    change.places.map((place) => h("div", null, h("code", null, place))),
    change.diff.length > 0 && h("pre", { tabindex: "0" }, change.diff.map(line)))));
}

function failureOf(panel, failure) {
  return section("Load failure", [
    h("p", null, `${failure.when}: ${failure.name} (${failure.type || "of an unknown type"}) could not be loaded. ${failure.settled}`),
    h("pre", { tabindex: "0" }, failure.exception),
    differencesOf(failure.differences),
    h("p", null, "This would load it: ", copier(panel, "Copy the command", failure.how_to_load)),
    h("pre", { tabindex: "0", class: "ck-command" }, failure.how_to_load),
  ], "ck-section ck-failure");
}

// It works without a kernel, too.
function copier(panel, words, text) {
  return h("button", { type: "button", onclick: () => panel.copy(text) }, words);
}

function actions(panel, details) {
  const what = (intent) => details.armed === intent && intent;
  const isTrusting = details.armed === "trust";
  return h(
    "div",
    { class: "ck-tools", role: "group", "aria-label": `Actions on ${details.label}` },
    copier(panel, "Copy code that loads it", details.code_to_load),
    button(panel, details.pinned ? "Unpin" : "Pin", { do: "pin", on: !details.pinned }, { "aria-pressed": String(details.pinned) }),
    button(panel, "Verify", { do: "verify" }),
    !details.trusted && armable(panel, isTrusting ? "Really trust it? Loading it runs what it says." : "Trust", { do: "trust" }, what("trust"), { key: "trust" }),
    armable(panel, details.armed === "forget" ? "Really forget it?" : "Forget", { do: "forget" }, what("forget"), { key: "forget" }),
    details.loadable.length > 0 && loader(panel, details),
  );
}

function loader(panel, details) {
  const onsubmit = (event) => {
    event.preventDefault();
    const { what, name } = event.target.elements;
    const armed = details.armed.startsWith("replace ") ? details.armed : undefined;
    if (panel.isLive) panel.send({ do: "load", name: what.value, as: name.value, armed });
  };
  const options = details.loadable.map(([value, words]) => h("option", { key: value, first: { value } }, words));
  const isArmed = details.armed.startsWith("replace ");
  return h("form", { key: `load ${details.key}`, class: "ck-load", onsubmit },
    h("label", null, "Load", h("select", { name: "what", disabled: !panel.isLive }, options)),
    h("label", null, "as", h("input", { type: "text", name: "name", size: 12, first: { value: details.name }, disabled: !panel.isLive })),
    h("button", { class: isArmed ? "ck-armed" : undefined, "aria-disabled": panel.isLive ? undefined : "true" }, isArmed ? `Really ${details.armed}?` : "Load into the notebook"));
}

function history(panel, details) {
  const rows = details.versions.map((version) => {
    const compare = version.opened ? "shown here" : version.compared ? "compared with"
      : button(panel, "Compare", { do: "compare", key: version.key }, { "aria-label": `Compare with ${version.exactly}` });
    const open = version.opened ? "" : button(panel, "Show", { do: "open", key: version.key }, { "aria-label": `Show ${version.exactly}` });
    return h("tr", { key: version.key, class: version.opened ? "ck-opened" : undefined },
      h("th", { scope: "row", title: version.exactly }, version.when), h("td", null, statusOf(version)), h("td", null, version.computed),
      h("td", null, version.size), h("td", null, version.hits), h("td", null, compare, " ", open));
  });
  const heads = ["Kept", "Status", "Computed in", "Size", "Hits", "Against this one"];
  const name = rows.length === 1 ? "History: one version" : `History: ${rows.length} versions`;
  return section(name, [
    rows.length > 1 && h("div", { class: "ck-plots" }, plot("Time", details.plot.seconds, details.plot.longest), plot("Size", details.plot.nbytes, details.plot.largest)),
    h("div", { class: "ck-box", role: "region", "aria-label": "Versions", tabindex: "0" },
      h("table", null, h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", null, rows))),
  ]);
}

function plot(name, values, most) {
  const step = values.length > 1 ? 150 / (values.length - 1) : 0;
  const at = values.map((value, index) => [5 + index * step, 35 - 30 * value]);
  const line = h("polyline", { points: at.map((point) => point.join(",")).join(" "), fill: "none" });
  const dots = at.map(([cx, cy]) => h("circle", { cx, cy, r: 2.5 }));
  const words = `${name} of each version, oldest first; the most is ${most}`;
  return h("figure", null, h("svg", { class: "ck-plot", viewBox: "0 0 160 40", width: "160", height: "40", role: "img", "aria-label": words }, line, dots),
    h("figcaption", null, `${name}, up to ${most}`));
}

// ---- one panel in one place

class Panel {
  constructor(model, el) {
    this.model = model;
    this.connection = "asking";
    this.copied = "";
    this.number = 0;
    this.unanswered = new Map();
    this.root = document.createElement("section");
    this.root.className = "ck";
    this.root.tabIndex = -1;
    this.root.setAttribute("aria-label", "Checkpoints of this notebook");
    this.root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.root.addEventListener("keydown", (event) => this.onkeydown(event));
    this.root.addEventListener("pointerenter", () => this.look());
    el.append(this.root);
    this.paint = this.paint.bind(this);
    this.answered = this.answered.bind(this);
    this.lost = this.lost.bind(this);
    model.on("change:view", this.paint);
    model.on("change:details", this.paint);
    model.on("msg:custom", this.answered);
    model.on("comm_live_update", this.lost);
    // What becomes of the kernel, where the front end tells: a new one knows nothing of this panel.
    this.kernel = model.widget_manager?.kernel;
    this.heard = (_, status) => ENDINGS.has(status) && this.lost();
    this.kernel?.statusChanged?.connect(this.heard);
    this.paint();
    this.send({ do: "hello" });
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.typing);
    this.model.off("change:view", this.paint);
    this.model.off("change:details", this.paint);
    this.model.off("msg:custom", this.answered);
    this.model.off("comm_live_update", this.lost);
    this.kernel?.statusChanged?.disconnect(this.heard);
    if (this.isLive) this.model.send({ do: "bye" });
  }

  get isLive() {
    return this.connection !== "gone";
  }

  send(intent) {
    this.copied = "";
    this.number += 1;
    const message = { ...intent, number: this.number };
    this.unanswered.set(this.number, Date.now());
    try {
      this.model.send(message);
    } catch {
      return this.lost();
    }
    this.watch();
  }

  // What is typed is sent when the user pauses.
  sendSoon(intent) {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.send(intent), 200);
  }

  // Whoever comes back to the panel sees what other processes have done meanwhile.
  look() {
    if (!this.isLive || Date.now() - (this.looked ?? 0) < 2000) return;
    this.looked = Date.now();
    this.send({ do: "look" });
  }

  answered(message) {
    if (message?.done === undefined) return;
    this.unanswered.delete(message.done);
    this.become("live");
  }

  lost() {
    this.become("gone");
  }

  watch() {
    clearTimeout(this.timer);
    if (this.unanswered.size === 0) return;
    const silent = (Date.now() - Math.min(...this.unanswered.values())) / 1000;
    const isBusy = this.kernel?.status === "busy";
    if (silent > GIVE_UP_SECONDS && !isBusy) this.become("gone");
    else if (silent > ANSWER_SECONDS && this.connection !== "gone") this.become("busy");
    this.timer = setTimeout(() => this.watch(), 1000 * Math.max(0.1, silent < ANSWER_SECONDS ? ANSWER_SECONDS - silent + 0.05 : 1));
  }

  become(connection) {
    if (connection !== "live" || this.unanswered.size === 0) {
      if (connection === "gone") this.unanswered.clear();
      if (this.connection !== connection) {
        this.connection = connection;
        this.paint();
      }
    }
  }

  onkeydown(event) {
    const view = this.model.get("view") ?? {};
    if (event.key === "Escape" && view.armed) this.send({ do: "disarm" });
  }

  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.copied = "Copied.";
    } catch {
      this.copied = text; // no clipboard here: then it can be copied by hand
    }
    this.paint();
  }

  paint() {
    const hadFocus = this.root.contains(this.root.getRootNode().activeElement);
    patch(this.root, this.parts());
    // Of what had it and is gone, the panel takes the focus over: the notebook would take a key for its own.
    if (hadFocus && !this.root.contains(this.root.getRootNode().activeElement)) this.root.focus({ preventScroll: true });
  }

  parts() {
    const view = this.model.get("view") ?? {};
    if (!view.condition) return [h("p", { role: "status" }, "Loading…")];
    const details = this.model.get("details") ?? {};
    const isReady = view.condition === "ready";
    return [
      this.condition(),
      h("p", { key: "notice", role: "status", class: view.alarming ? "ck-notice ck-alarm" : "ck-notice" }, this.copied || view.notice),
      view.summary.length > 0 && strip(view.summary),
      view.condition !== "error" && toolbar(this, view),
      view.message && h("p", { key: "message", class: `ck-message ck-${view.condition.replace(" ", "-")}`, role: view.condition === "error" ? "alert" : undefined }, view.message),
      view.condition === "no match" && button(this, "Show all", { do: "clear" }, { key: "clear" }),
      view.condition === "error" && button(this, "Try again", { do: "look" }, { key: "again" }),
      (isReady || view.running.length > 0) && table(this, view),
      isReady && view.page.count > 1 && pager(this, view.page),
      details.key && detailsOf(this, details),
    ].filter(Boolean);
  }

  condition() {
    const words = {
      busy: "The kernel is busy: what you ask for is done when it answers.",
      gone: "No kernel answers: this is a picture of the cache as it was.",
    }[this.connection];
    const again = () => {
      this.connection = "asking";
      this.send({ do: "look" });
    };
    return h("div", { key: "condition", class: "ck-condition", role: "status" }, words ?? "",
      this.connection === "gone" && h("button", { type: "button", onclick: again }, "Ask again"));
  }
}

function render({ model, el }) {
  const panel = new Panel(model, el);
  return () => panel.close();
}

export default { render };
