// The table of contacts: unpacked in the browser, searched, sorted and filtered by DataTables; cells are text, never HTML.
"use strict";
(async () => {
  const loading = document.getElementById("loading"), element = document.getElementById("people");
  const [find, sort] = ["find", "sort"].map((id) => document.getElementById(id));
  const said = JSON.parse(document.getElementById("drawn").textContent).words;
  const two = (number) => String(number).padStart(2, "0");
  const moment = (at) => at === null ? "" : new Date(at * 1000).toISOString().slice(0, 16).replace("T", " ");
  const seconds = (length) => length === null ? "" : `${Math.floor(Math.round(length) / 60)}:${two(Math.round(length) % 60)}`;
  const plain = (value) => value === null ? "" : String(value);
  const outcome = (code) => code ? said.outcomes[code] ?? code : "";
  const COLUMNS = [
    { key: "row", title: "Row", words: plain, type: "num", number: true },
    { key: "name", title: "Name", words: plain, type: "string" },
    { key: "phone", title: "Phone", words: plain, type: "string" },
    { key: "state", title: "State", words: plain, type: "string" },
    { key: "disposition", title: "Outcome", words: outcome, type: "string" },
    { key: "attempts", title: "Tries", words: plain, type: "num", number: true },
    { key: "agent", title: "Agent", words: plain, type: "string" },
    { key: "last_at", title: "Last (UTC)", words: moment, type: "num" },
    { key: "next_at", title: "Next (UTC)", words: moment, type: "num" },
    { key: "duration_s", title: "Length", words: seconds, type: "num", number: true },
    { key: "cost", title: "Cost", words: plain, type: "num", number: true },
    { key: "note", title: "Why", words: plain, type: "string" },
  ];
  const at = (key) => COLUMNS.findIndex((column) => column.key === key);
  const SEARCHED = ["row", "name", "phone", "agent", "note"];

  async function unpack() {
    const packed = Uint8Array.from(atob(document.getElementById("rows").textContent), (mark) => mark.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // A number is found however it is written: "(212) 555-0100" as well as "+1212555".
  function wanted() {
    const text = find.value.trim();
    return /^[+()\d\s./-]{4,}$/.test(text) && /\d{4}/.test(text.replace(/\D/g, "")) ? text.replace(/[()\s./-]/g, "") : text;
  }

  function fill(select, values, words) {
    for (const value of values) select.add(new Option(words(value), value));
    select.parentElement.hidden = values.length < 2;
  }

  // The place of each text among all others, found once: numbers sort five times as fast, and Zoë stands beside Zoe.
  function places(rows, index) {
    const found = new Map(), compare = new Intl.Collator("en", { numeric: true }).compare;
    [...new Set(rows.map((row) => row[index] ?? ""))].sort(compare).forEach((text, place) => found.set(text, place));
    return found;
  }

  function column(of, index, rows) {
    let ranks = null;
    const sorted = (value) => of.type === "num" ? value ?? -1 : (ranks ??= places(rows, index)).get(value ?? "");
    return {
      title: of.title, data: index, type: "num", className: of.number ? "number" : "", searchable: SEARCHED.includes(of.key),
      orderSequence: ["asc", "desc", ""],
      render: (value, kind) => kind === "display" ? "" : kind === "filter" ? of.words(value) : sorted(value),
      createdCell: (cell, _, row) => {
        cell.dataset.label = of.title;
        cell.dataset.key = of.key;
        cell.textContent = of.words(row[index]);
        if (of.key === "disposition" && row[index]) {
          const swatch = document.createElement("span"), both = document.createElement("span");
          swatch.className = `swatch ${row[index] in said.outcomes ? row[index] : "quiet"}`;
          both.append(swatch, ...cell.childNodes);
          cell.replaceChildren(both);
        }
      },
    };
  }

  function wire(table, rows) {
    const filters = { state: (code) => `${code}: ${said.states[code] ?? ""}`, disposition: outcome, agent: plain };
    const exact = (key, value) => table.column(at(key)).search(value ? (cell, row) => row[at(key)] === value : "");
    for (const [key, words] of Object.entries(filters)) {
      const select = document.getElementById(`by-${key}`);
      fill(select, [...new Set(rows.map((row) => row[at(key)]).filter(Boolean))].sort(), words);
      select.addEventListener("change", () => { exact(key, select.value); table.draw(); });
    }
    const told = rows.map((row) => SEARCHED.map((key) => row[at(key)] ?? "").join("\n").toLowerCase());
    const search = () => {
      const words = wanted().toLowerCase().split(/\s+/).filter(Boolean);
      table.search(words.length ? (_, row, index) => words.every((word) => told[index].includes(word)) : "").draw();
    };
    find.addEventListener("input", search);
    COLUMNS.forEach((of, index) => ["asc", "desc"].forEach((way) => sort.add(new Option(`${of.title} ${way === "asc" ? "▲" : "▼"}`, `${index} ${way}`))));
    sort.addEventListener("change", () => { const [index, way] = sort.value.split(" "); table.order([Number(index), way]).draw(); });
    const form = document.querySelector(".filters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => {
      for (const key of Object.keys(filters)) exact(key, "");
      table.search("").order([0, "asc"]).draw();
    }));
  }

  loading.textContent = "Unpacking the contacts …";
  await new Promise((done) => setTimeout(done));  // the page is painted first
  try {
    const rows = await unpack();
    const table = new DataTable(element, {
      data: rows, columns: COLUMNS.map((of, index) => column(of, index, rows)), deferRender: true, autoWidth: false, order: [[0, "asc"]], pageLength: matchMedia("(max-width: 48rem)").matches ? 10 : 25,
      lengthMenu: [10, 25, 100, 500],
      layout: { topStart: null, topEnd: null, bottomStart: ["info", "pageLength"], bottomEnd: { paging: { firstLast: false } } },
      language: { info: "_START_ to _END_ of _TOTAL_ contacts", infoEmpty: "No contacts", infoFiltered: "(of _MAX_)", lengthMenu: "_MENU_ a page",
        emptyTable: "No contacts yet.", zeroRecords: "Nobody fits. Clear the filters to see everybody.",
        paginate: { previous: "Back", next: "Next" } },
    });
    wire(table, rows);
    const frame = element.parentElement;  // it scrolls where the table is wider than the screen
    for (const [name, value] of Object.entries({ tabindex: "0", role: "region", "aria-label": "Contacts" })) frame.setAttribute(name, value);
    loading.hidden = true;
    element.dataset.ready = "1";
  } catch (fault) {
    loading.textContent = `The contacts could not be unpacked by this browser (${fault.message}); they are in outcomes.csv.`;
  }
})();
