// The pictures. What they show was counted before; here it is only drawn, in colours that the style sheet names.
"use strict";
(() => {
  const drawn = JSON.parse(document.getElementById("drawn").textContent);
  const colour = (name) => `var(--${name})`;
  const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
  const whole = (number) => Number.isInteger(number) ? number.toLocaleString("en") : "";
  const utc = (at) => new Date(at * 1000);
  const time = { hour: d3.utcFormat("%H:%M"), day: d3.utcFormat("%-d %b"), both: d3.utcFormat("%H:%M\n%-d %b") };
  const tick = (at, index) => at.getUTCHours() + at.getUTCMinutes() === 0 ? time.day(at) : index === 0 ? time.both(at) : time.hour(at);
  const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

  // Bars from left to right, one for each line of `bars`: {name, count, of, words, colour}.
  function bars(data, width) {
    const left = Math.min(170, Math.max(80, width * 0.28));
    const characters = Math.floor(left / 7.2);
    return Plot.plot({
      width, height: data.bars.length * 34 + 14, marginLeft: left, marginRight: 130, marginTop: 4, marginBottom: 8,
      x: { axis: null, domain: [0, Math.max(1, ...data.bars.map((bar) => Math.max(bar.count, bar.of ?? 0)))] },
      y: { label: null, domain: data.bars.map((bar) => bar.name), tickSize: 0, tickFormat: (name) => cut(name, characters) },
      marks: [
        Plot.barX(data.bars.filter((bar) => bar.of), { x: "of", y: "name", fill: colour("quiet"), insetTop: 4, insetBottom: 4, rx: 3 }),
        Plot.barX(data.bars, { x: "count", y: "name", fill: (bar) => colour(bar.colour), insetTop: 4, insetBottom: 4, rx: 3 }),
        Plot.text(data.bars, { x: (bar) => Math.max(bar.count, bar.of ?? 0), y: "name", text: "words", textAnchor: "start", dx: 8 }),
      ],
    });
  }

  // Stacked counts over time: `buckets` of {at, and a count for each of `stack`}.
  function stacked(data, width) {
    const long = data.buckets.flatMap((bucket) => data.stack.filter((name) => bucket[name]).map((name) => (
      { from: utc(bucket.at), to: utc(bucket.at + data.width_s), name, count: bucket[name] })));
    const gap = (width - 60) / data.buckets.length > 5 ? 0.5 : 0;
    return Plot.plot({
      width, height: 240, marginLeft: 48, marginBottom: 36,
      x: { type: "utc", label: null, tickFormat: tick, ticks: width / 110, domain: [utc(data.buckets[0].at), utc(data.buckets.at(-1).at + data.width_s)] },
      y: { label: data.unit, grid: true, tickFormat: whole, nice: true },
      marks: [
        Plot.rectY(long, Plot.stackY({ x1: "from", x2: "to", y: "count", fill: (row) => colour(row.name), order: (row) => data.stack.indexOf(row.name),
          insetLeft: gap, insetRight: gap, stroke: gap ? colour("card") : "none" })),
        Plot.ruleY([0], { stroke: "currentColor" }),
      ],
    });
  }

  // Weekday by hour: `cells` of {day, hour, count, of}. Few calls are drawn small: they tell little.
  function hours(data, width) {
    const most = Math.max(1, ...data.cells.map((cell) => cell.of));
    const share = (cell) => Math.round(cell.count / cell.of * 100);
    const best = Math.max(10, ...data.cells.filter((cell) => cell.of >= Math.min(20, most)).map(share));
    const depth = (cell) => Math.min(100, Math.round(share(cell) / best * 100));
    const label = width > 700;
    return Plot.plot({
      width, height: 7 * (width > 500 ? 34 : 26) + 48, marginLeft: 40, marginTop: 4, marginRight: 4, marginBottom: 44, padding: 0.06,
      x: { domain: d3.range(24), label: "hour on the contact’s own clock", labelOffset: 38, tickFormat: (hour) => hour % (width > 500 ? 2 : 6) ? "" : `${hour}`, tickSize: 0 },
      y: { domain: d3.range(7), label: null, tickFormat: (day) => DAYS[day], tickSize: 0 },
      marks: [
        Plot.cell(d3.cross(d3.range(24), d3.range(7)), { x: "0", y: "1", fill: "none", stroke: colour("line"), strokeWidth: 0.5, rx: 3 }),
        Plot.cell(data.cells, { x: "hour", y: "day", rx: 3,
          fill: (cell) => `color-mix(in oklab, var(--heat-high) ${depth(cell)}%, var(--heat-low))`,
          fillOpacity: (cell) => 0.35 + 0.65 * Math.min(1, Math.sqrt(cell.of / most)) }),
        label ? Plot.text(data.cells, { x: "hour", y: "day", text: (cell) => `${share(cell)}`, className: "heat-label",
          stroke: colour("card"), strokeWidth: 3, fill: "currentColor" }) : null,
      ],
    });
  }

  // For each attempt: who had it, and who was reached at it.
  const upright = (data, width) => Plot.plot({
    width, height: 230, marginLeft: 48, marginBottom: 40, x: { label: data.across, domain: data.bars.map((bar) => bar.name), padding: 0.2, tickSize: 0,
      tickFormat: (name, index) => (width - 60) / data.bars.length < 30 && index % 2 ? "" : name },
    y: { label: data.unit, grid: true, tickFormat: whole, nice: true },
    marks: [
      Plot.barY(data.bars.filter((bar) => bar.of), { x: "name", y: "of", fill: colour("quiet"), rx: 2 }),
      Plot.barY(data.bars, { x: "name", y: "count", fill: (bar) => colour(bar.colour), rx: 2 }),
      Plot.ruleY([0], { stroke: "currentColor" }),
    ],
  });

  // One line an agent: the share that answered, and between which bounds it lies.
  const ranges = (data, width) => {
    const left = Math.min(220, Math.max(90, width * 0.3));
    return Plot.plot({
      width, height: data.agents.length * 34 + 62, marginLeft: left, marginRight: 24, marginBottom: 44,
      x: { label: "of 100 calls, answered", labelAnchor: "center", labelOffset: 38, domain: [0, 100], grid: true }, y: { label: null, tickSize: 0, domain: data.agents.map((agent) => agent.name),
        tickFormat: (name) => cut(name, Math.floor(left / 7.2)) },
      marks: [
        Plot.ruleY(data.agents, { x1: "low", x2: "high", y: "name", stroke: colour("voicemail"), strokeWidth: 6, strokeLinecap: "round" }),
        Plot.dot(data.agents, { x: "value", y: "name", r: 6, fill: colour("completed"), stroke: colour("card") }),
      ],
    });
  };

  // Calls on the line at once: the most, the mean, and the ceiling of the campaign file.
  const slots = (data, width) => Plot.plot({
    width, height: 220, marginLeft: 48, marginBottom: 36,
    x: { type: "utc", label: null, tickFormat: tick, ticks: width / 110 }, y: { label: "calls at once", grid: true, tickFormat: whole, domain: [0, Math.max(1, data.ceiling ?? 0, ...data.buckets.map((bucket) => bucket.most))] },
    marks: [
      Plot.rectY(data.buckets, { x1: (bucket) => utc(bucket.at), x2: (bucket) => utc(bucket.at + data.width_s), y: "most", fill: colour("quiet") }),
      Plot.rectY(data.buckets, { x1: (bucket) => utc(bucket.at), x2: (bucket) => utc(bucket.at + data.width_s), y: "mean", fill: colour("completed") }),
      data.ceiling ? Plot.ruleY([data.ceiling], { stroke: colour("failed"), strokeDasharray: "6 4", strokeWidth: 1.5 }) : null,
      Plot.ruleY([0], { stroke: "currentColor" }),
    ],
  });

  const KINDS = { bars, stacked, hours, upright, ranges, slots };

  function draw(place, paper = 0) {
    const data = drawn[place.dataset.chart];
    const width = paper || Math.max(260, Math.round(place.clientWidth));
    if (!data || place.dataset.width === String(width)) return;
    place.dataset.width = String(width);
    const plot = KINDS[data.kind](data, width);
    plot.setAttribute("aria-hidden", "true");  // the words stand at its frame
    plot.setAttribute("focusable", "false");
    place.replaceChildren(plot);
  }

  // The hour under the pointer, or the one the arrow keys went to, is read out below the picture.
  function readHours(place) {
    const data = drawn.hours, out = document.getElementById("hours-help");
    if (!data) return;
    const cells = new Map(data.cells.map((cell) => [cell.day * 24 + cell.hour, cell]));
    const order = [...cells.keys()].sort((one, other) => one - other);
    let at = null;
    const say = (key) => {
      const cell = cells.get(key), day = Math.floor(key / 24), hour = key % 24;
      at = key;
      out.textContent = `${data.days[day]} ${hour}:00 to ${hour + 1}:00: ` +
        (cell ? `${cell.count} of ${cell.of} calls answered (${Math.round(cell.count / cell.of * 100)}%)` : "no calls");
    };
    place.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 24, ArrowUp: -24 }[event.key];
      if (!step) return;
      event.preventDefault();
      if (at === null) say(order[0]);
      else say((at + step + 168) % 168);
    });
    place.addEventListener("pointermove", (event) => {
      const svg = place.querySelector("svg");
      if (!svg) return;
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale - 40, y = (event.clientY - box.top) * scale - 4;
      const hour = Math.floor(x / ((svg.viewBox.baseVal.width - 44) / 24)), day = Math.floor(y / ((svg.viewBox.baseVal.height - 48) / 7));
      if (hour >= 0 && hour < 24 && day >= 0 && day < 7) say(day * 24 + hour);
    });
  }

  const places = [...document.querySelectorAll("[data-chart]")];
  places.forEach((place) => draw(place));
  places.filter((place) => place.dataset.chart === "hours").forEach(readHours);
  const onPaper = (place) => ["attempts", "lengths"].includes(place.dataset.chart) ? 300 : 640;
  addEventListener("beforeprint", () => places.forEach((place) => draw(place, onPaper(place))));
  addEventListener("afterprint", () => places.forEach((place) => draw(place)));
  let waiting = 0;
  new ResizeObserver(() => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(() => places.forEach((place) => draw(place))); }).observe(document.body);
})();
