"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const charts = [];

  // ---- signals: unpacked once, thinned out for what is in view ---------------------------------------------------
  async function inflate(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function unpack(face) {
    const [rawTime, raw] = [await inflate(face.time), await inflate(face.curves)];
    const n = face.count, ticks = new DataView(rawTime.buffer), time = new Float64Array(n), curves = [];
    for (let i = 0, sum = 0; i < n; i++) { sum += ticks.getInt32(4 * i, true); time[i] = sum / face.ticksPerSecond; }
    const half = raw.length / 2;
    face.names.forEach((_, k) => {
      const values = new Float32Array(n);
      for (let i = 0, code = 0; i < n; i++) {
        code = (code + raw[k * n + i] + 256 * raw[half + k * n + i]) & 0xffff;
        values[i] = code === 0x8000 ? NaN : ((code << 16) >> 16) * face.steps[k];
      }
      curves.push(values);
    });
    return { time, curves };
  }

  const firstAtOrAfter = (time, t) => {
    let low = 0, high = time.length;
    while (low < high) { const mid = (low + high) >> 1; if (time[mid] < t) low = mid + 1; else high = mid; }
    return low;
  };

  // Least and largest value of every stretch: no peak is lost, however far one zooms out.
  function thin(time, values, from, to, most) {
    const x = [], y = [], count = to - from, stretch = Math.max(1, Math.ceil((2 * count) / most));
    for (let start = from; start < to; start += stretch) {
      if (stretch === 1) { x.push(time[start]); y.push(isNaN(values[start]) ? null : values[start]); continue; }
      let low = -1, high = -1;
      for (let i = start; i < Math.min(start + stretch, to); i++) {
        if (isNaN(values[i])) continue;
        if (low < 0 || values[i] < values[low]) low = i;
        if (high < 0 || values[i] > values[high]) high = i;
      }
      if (low < 0) { x.push(time[start]); y.push(null); continue; }
      for (const i of low < high ? [low, high] : [high, low]) { x.push(time[i]); y.push(values[i]); }
    }
    return { x, y };
  }

  // ---- the timeline ----------------------------------------------------------------------------------------------
  const colour = (name) => css(`--${(/^(left|right)/.exec(name) || ["middle"])[0]}`);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const DASHES = { "left cheek": "dot", "right cheek": "dot", "lower lip": "dash", chin: "dot" };
  const ofLids = (kind) => kind === "blink" || kind === "wink";
  const speaks = data.faces.some((f) => f.speaking.length);
  const LANES = [...(speaks ? ["speaking"] : []), ...["wink", "blink", "macro", "micro"].filter((k) => k !== "wink" || data.events.some((e) => e.kind === k))];
  const tints = () => ({ micro: css("--micro"), macro: css("--macro"), blink: css("--blink"), wink: css("--blink") });

  function traces(chart, range) {
    const { face, time, curves } = chart, list = [];
    const from = Math.max(firstAtOrAfter(time, range[0]) - 1, 0);
    const to = Math.min(firstAtOrAfter(time, range[1]) + 1, time.length);
    face.rows.forEach((row, r) => row.curves.forEach((k) => {
      const { x, y } = thin(time, curves[k], from, to, 3000), name = face.names[k];
      list.push({
        type: "scatter", mode: "lines", x, y, name, xaxis: "x", yaxis: `y${r + 2}`, connectgaps: false, showlegend: false,
        line: { width: 1.3, color: colour(name), dash: DASHES[name] || "solid" },
        hovertemplate: `${name} %{y:.2f}<extra></extra>`,
      });
    }));
    if (face.expression) list.push({
      type: "heatmap", x: face.expression.time, y: face.expression.names, z: face.expression.percent, zmin: 0, zmax: 100,
      xaxis: "x", yaxis: `y${face.rows.length + 2}`, showscale: false, hoverongaps: false, ygap: 1,
      colorscale: [[0, css("--soft")], [1, css("--macro")]], hovertemplate: "%{y} %{z} %<extra></extra>",
    });
    return list;
  }

  const label = (e) => [e.title, `${e.onset.toFixed(3)} to ${e.offset.toFixed(3)} s`, [e.emotion, e.probability].filter(Boolean).join(" "), e.units, e.contradicts && `contradicts the face around it (${e.contradicts})`].filter(Boolean).join("<br>");

  function eventTraces(chart) {
    const colours = tints();
    return LANES.map((kind) => {
      if (kind === "speaking") return {
        type: "scatter", mode: "lines", x: chart.face.speaking.flatMap(([from, to]) => [from, to, null]), y: chart.face.speaking.flatMap(() => [kind, kind, null]),
        name: kind, hoverinfo: "x+name", yaxis: "y", showlegend: false, connectgaps: false, line: { width: 8, color: css("--dim") },
      };
      const found = chart.events.filter((e) => e.kind === kind);
      return {
        type: "scatter", mode: "markers", x: found.map((e) => e.apex), y: found.map(() => kind), name: kind,
        customdata: found.map((e) => e.index), hovertext: found.map(label), hoverinfo: "text", yaxis: "y", showlegend: false,
        marker: { size: ofLids(kind) ? 7 : 12, color: colours[kind], symbol: { macro: "square", wink: "diamond" }[kind] || "circle", line: { width: 1, color: css("--sheet") } },
      };
    });
  }

  function layout(chart, range) {
    const { face, events } = chart, ink = css("--ink"), dim = css("--dim"), line = css("--line"), rows = face.rows.length;
    const shown = face.expression ? 1 : 0, tall = 1.6 * shown; // the row of expressions has seven names beside it
    const top0 = shown ? 0.895 : 0.87, gap = shown ? 0.05 : 0.062, height = (top0 - gap * (rows + shown)) / (rows + tall), shapes = [], notes = [];
    const tint = tints();
    const result = {
      margin: { l: 58, r: 14, t: 34, b: 42 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: dim, activecolor: css("--accent") }, dragmode: "zoom", showlegend: false, shapes, annotations: notes, font: { family: "system-ui, sans-serif", size: 12, color: dim },
      hoverlabel: { bgcolor: css("--sheet"), bordercolor: line, font: { color: ink } },
      xaxis: { range, title: { text: "seconds" }, gridcolor: line, zeroline: false, anchor: `y${rows + shown + 1}`, ticksuffix: "" },
      yaxis: { domain: [top0 + 0.015, 1], type: "category", categoryorder: "array", categoryarray: LANES, range: [-0.6, LANES.length - 0.4], fixedrange: true, gridcolor: line, tickfont: { size: 11 } },
    };
    face.rows.forEach((row, r) => {
      const top = top0 - r * (height + gap) - gap, axis = `y${r + 2}`, eyes = face.floor[r] === null && r === rows - 1;
      result[`yaxis${r + 2}`] = { domain: [Math.max(top - height, 0), top], fixedrange: true, gridcolor: line, zeroline: false, rangemode: "tozero", nticks: 4, tickfont: { size: 11 }, ticksuffix: eyes ? "" : " %" };
      notes.push({ xref: "paper", yref: "paper", x: 0, y: top + 0.004, xanchor: "left", yanchor: "bottom", showarrow: false, text: heading(face, row, chart.node.clientWidth < 620), font: { size: 11.5, color: ink } });
      if (face.floor[r] !== null) shapes.push(
        { type: "rect", xref: "paper", x0: 0, x1: 1, yref: axis, y0: 0, y1: face.floor[r], fillcolor: dim, opacity: 0.13, line: { width: 0 }, layer: "below" },
        { type: "line", xref: "paper", x0: 0, x1: 1, yref: axis, y0: face.floor[r], y1: face.floor[r], line: { width: 1, color: dim, dash: "dot" }, layer: "below" });
    });
    const floor = shown ? tall * height + gap : 0;
    if (shown) {
      result[`yaxis${rows + 2}`] = { domain: [0, tall * height], fixedrange: true, showgrid: false, zeroline: false, tickfont: { size: 10.5 }, dtick: 1 };
      notes.push({ xref: "paper", yref: "paper", x: 0, y: tall * height + 0.004, xanchor: "left", yanchor: "bottom", showarrow: false, text: "<b>Expression of the whole face</b>", font: { size: 11.5, color: ink } });
    }
    for (const cut of data.cuts) shapes.push({ type: "line", xref: "x", x0: cut, x1: cut, yref: "paper", y0: 0, y1: 1, opacity: 0.6, line: { width: 1, color: ink, dash: "dash" } });
    // One shape for all events of a kind: thousands of shapes would take half a minute to draw.
    for (const kind of Object.keys(tint)) {
      const top = ofLids(kind) ? floor + height : 1, found = events.filter((e) => e.kind === kind);
      if (found.length) shapes.push({
        type: "path", xref: "x", yref: "paper", fillcolor: tint[kind], opacity: ofLids(kind) ? 0.1 : 0.17, line: { width: 0 }, layer: "below",
        path: found.map((e) => `M${e.onset},${floor}L${e.onset},${top}L${e.offset},${top}L${e.offset},${floor}Z`).join(""),
      });
    }
    return result;
  }

  // Names and lines of a row's curves; on a narrow screen only which colour is which side.
  function heading(face, row, narrow) {
    const names = row.curves.map((k) => face.names[k]), sides = new Map();
    names.forEach((n) => sides.set(narrow ? (n.match(/^(left|right)/) || ["middle"])[0] : n, n));
    const sign = (n) => (!narrow && { dash: "╌", dot: "⋯" }[DASHES[n]]) || "—";
    return `<b>${row.title}</b>  ` + [...sides].map(([text, n]) => `<span style="color:${colour(text === "middle" ? "" : narrow ? text : n)}">${sign(n)} ${text}</span>`).join("  ");
  }

  function redraw(chart, range) {
    chart.range = range;
    chart.busy = Plotly.react(chart.node, [...eventTraces(chart), ...traces(chart, range)], layout(chart, range), {
      displaylogo: false, responsive: true, doubleClick: false, modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d"], ["toImage"]],
    });
    return chart.busy;
  }

  function eventAt(chart, x) {
    const inside = chart.events.filter((e) => x >= e.onset && x <= e.offset);
    return inside.find((e) => e.kind === "micro") || inside.find((e) => e.kind === "macro") || inside[0];
  }

  function openEvent(index) {
    const card = document.getElementById(`event-${index}`);
    if (!card) return;
    const folded = card.closest("details");
    if (folded) folded.open = true;
    document.querySelectorAll(".found").forEach((c) => c.classList.remove("found"));
    card.classList.add("found");
    card.scrollIntoView({ behavior: still.matches ? "auto" : "smooth", block: "center" });
    card.focus({ preventScroll: true });
  }

  async function draw(node) {
    const face = data.faces[Number(node.dataset.face)];
    if (!face.count) return;
    if (face.expression) node.classList.add("more");
    const chart = { node, face, events: data.events.filter((e) => e.face === face.face), ...(await unpack(face)) };
    const last = chart.time[chart.time.length - 1];
    chart.whole = [chart.time[0], last > chart.time[0] ? last : chart.time[0] + 1];
    charts.push(chart);
    node.replaceChildren(); // the still timeline
    node.classList.add("live");
    await redraw(chart, chart.whole);
    node.on("plotly_relayout", (change) => {
      const from = change["xaxis.range[0]"] ?? change["xaxis.range"]?.[0], to = change["xaxis.range[1]"] ?? change["xaxis.range"]?.[1];
      if (from === undefined || to === undefined) return;
      const range = [Math.max(Number(from), chart.whole[0]), Math.min(Number(to), chart.whole[1])];
      if (range[1] > range[0]) redraw(chart, range);
    });
    node.on("plotly_doubleclick", () => { redraw(chart, chart.whole); return false; });
    node.on("plotly_click", ({ points: [point] }) => {
      const found = point.customdata ?? eventAt(chart, point.x)?.index;
      if (found !== undefined) openEvent(found);
    });
  }

  function showInTimeline(index) {
    const event = data.events.find((e) => e.index === index), chart = event && charts.find((c) => c.face.face === event.face);
    if (!chart) return;
    const margin = Math.max(3 * (event.offset - event.onset), 0.5);
    redraw(chart, [Math.max(event.onset - margin, chart.whole[0]), Math.min(event.offset + margin, chart.whole[1])]);
    chart.node.scrollIntoView({ behavior: still.matches ? "auto" : "smooth", block: "center" });
  }

  // ---- the loops -------------------------------------------------------------------------------------------------
  function player(figure) {
    const canvas = figure.querySelector("canvas"), image = figure.querySelector("img"), slider = figure.querySelector("input");
    const button = figure.querySelector("button"), { columns, count, fps } = figure.dataset, pen = canvas.getContext("2d");
    let timer = null, wanted = !still.matches, frame = Math.floor(count / 2);
    const paint = () => {
      const column = frame % columns, row = Math.floor(frame / columns);
      pen.drawImage(image, column * canvas.width, row * canvas.height, canvas.width, canvas.height, 0, 0, canvas.width, canvas.height);
      slider.value = frame;
    };
    const stop = () => { clearInterval(timer); timer = null; button.textContent = "▶"; };
    const play = () => {
      if (timer !== null || count < 2) return;
      timer = setInterval(() => { frame = (frame + 1) % count; paint(); }, 1000 / fps);
      button.textContent = "❚❚";
    };
    button.addEventListener("click", () => { wanted = timer === null; if (wanted) play(); else stop(); });
    slider.addEventListener("input", () => { wanted = false; stop(); frame = Number(slider.value); paint(); });
    addEventListener("beforeprint", () => { stop(); frame = Math.floor(count / 2); paint(); });
    const begin = () => {
      paint();
      // Only loops in view run.
      new IntersectionObserver((seen) => { if (seen.at(-1).isIntersecting && wanted) play(); else stop(); }).observe(figure);
    };
    image.decode().then(begin, () => figure.remove());
  }

  // ---- how small a movement this recording can show ------------------------------------------------------------
  function drawDetection(node) {
    const c = data.calibration, ink = css("--ink"), dim = css("--dim"), line = css("--line"), accent = css("--accent"), good = css("--macro");
    const shapes = [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 0.9, y1: 0.9, line: { width: 1, color: dim, dash: "dot" } }], annotations = [];
    if (c.level !== null) {
      const [low, high] = [c.interval[0] ?? c.tried[0], c.interval[1] ?? c.tried[1]];
      shapes.push({ type: "rect", yref: "paper", y0: 0, y1: 1, x0: low, x1: high, fillcolor: good, opacity: 0.12, line: { width: 0 }, layer: "below" },
        { type: "line", yref: "paper", y0: 0, y1: 1, x0: c.level, x1: c.level, line: { width: 1.5, color: good } });
      annotations.push({ x: Math.log10(c.level), y: 0.04, yref: "paper", xanchor: "left", showarrow: false, text: ` 9 in 10 above ${c.level.toPrecision(2)} %`, font: { color: ink } });
    }
    const band = (y, fill) => ({ type: "scatter", mode: "lines", x: c.size, y, fill, fillcolor: accent + "26", line: { width: 0 }, hoverinfo: "skip", showlegend: false });
    return Plotly.react(node, [
      band(c.lowest, "none"), band(c.highest, "tonexty"),
      { type: "scatter", mode: "lines", x: c.size, y: c.rate, line: { color: accent, width: 2 }, hovertemplate: "%{x:.2f} %: %{y:.0%}<extra></extra>", showlegend: false },
      { type: "scatter", mode: "markers", x: c.bins.map((b) => b.size), y: c.bins.map((b) => b.share), hovertext: c.bins.map((b) => b.text), hoverinfo: "text", showlegend: false,
        marker: { color: ink, size: 8 }, error_y: { type: "data", symmetric: false, array: c.bins.map((b) => b.most - b.share), arrayminus: c.bins.map((b) => b.share - b.least), color: dim, thickness: 1.2 } },
    ], {
      margin: { l: 58, r: 14, t: 14, b: 46 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", shapes, annotations, showlegend: false,
      font: { family: "system-ui, sans-serif", size: 12, color: dim }, hoverlabel: { bgcolor: css("--sheet"), bordercolor: line, font: { color: ink } },
      xaxis: { type: "log", title: { text: "peak displacement, % of the eye distance" }, tickvals: [0.3, 0.5, 1, 2, 3, 6], ticktext: ["0.3", "0.5", "1", "2", "3", "6"], range: [Math.log10(c.tried[0] * 0.95), Math.log10(c.tried[1] * 1.05)], fixedrange: true, gridcolor: line },
      yaxis: { title: { text: "share found" }, range: [-0.03, 1.03], tickformat: ".0%", fixedrange: true, gridcolor: line, zeroline: false },
    }, { displaylogo: false, responsive: true, displayModeBar: false });
  }
  const detection = document.querySelector(".detection");
  if (detection) {
    drawDetection(detection);
    dark.addEventListener("change", () => drawDetection(detection));
  }

  // Loops near the window first, the others when there is time: a page may hold hundreds.
  const waiting = new Set(document.querySelectorAll(".player"));
  const start = (figure) => { if (waiting.delete(figure)) { near.unobserve(figure); player(figure); } };
  const near = new IntersectionObserver((seen) => seen.filter((s) => s.isIntersecting).forEach((s) => start(s.target)), { rootMargin: "800px" });
  waiting.forEach((figure) => near.observe(figure));
  const idle = window.requestIdleCallback || ((then) => setTimeout(then, 200));
  const rest = () => { for (const figure of waiting) { start(figure); idle(rest); break; } };
  document.querySelectorAll("[data-show]").forEach((b) => b.addEventListener("click", () => showInTimeline(Number(b.dataset.show))));
  const nodes = [...document.querySelectorAll(".chart")];
  const stills = nodes.map((node) => [...node.childNodes]);
  const giveUp = () => {
    nodes.forEach((node, i) => { node.classList.remove("live"); node.replaceChildren(...stills[i]); });
    document.getElementById("too-old").hidden = false;
  };
  if (nodes.length) {
    if (typeof DecompressionStream === "undefined") giveUp();
    else Promise.all(nodes.map(draw)).then(() => { document.body.dataset.ready = "yes"; idle(rest); }, (error) => { giveUp(); throw error; });
    dark.addEventListener("change", () => charts.forEach((chart) => redraw(chart, chart.range)));
  } else { document.body.dataset.ready = "yes"; idle(rest); }
})();
