"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const search = document.getElementById("search");
  const sort = document.getElementById("sort");
  const rows = document.getElementById("rows");
  const card = document.getElementById("card");
  const found = document.getElementById("found");
  const all = [...rows.rows];
  const LABELS = { "-1": "withheld", 0: "reactive", 1: "tumoral" };
  let ranking = data.first;
  let open = null;

  // Every text goes through textContent: an id or a file name is never read as HTML.
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    for (const child of children) element.append(child);
    return element;
  };
  const shown = (value, digits = 2) => (value === null || value === undefined ? "unknown" : value.toFixed(digits));
  const scored = (value) => (value === null ? "no score" : Math.abs(value) < 0.001 && value !== 0 ? "≈ 0" : Math.abs(value) < 0.1 ? value.toFixed(3) : value.toFixed(2));
  const patientOf = (row) => data.patients[Number(row.dataset.place)];
  const labelled = (label) => make("span", { class: LABELS[label] }, LABELS[label]);

  function arrange() {
    const wanted = search.value.trim().toLowerCase();
    const key = sort.value;
    const value = (row) => patientOf(row)[key] ?? -1;
    const order = key === "id" ? all : [...all].sort((a, b) => value(b) - value(a));
    let count = 0;
    for (const row of order) {
      row.hidden = !patientOf(row).id.toLowerCase().includes(wanted);
      count += row.hidden ? 0 : 1;
      rows.append(row);
    }
    found.textContent = `${count} of ${all.length} patients`;
  }

  function modelTable(patient) {
    const body = make("tbody");
    data.models.forEach((name, place) => {
      const [probability, threshold, call] = patient.models[place];
      const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("i"), make("b"));
      bar.firstChild.style.width = `${100 * probability}%`;
      bar.lastChild.style.left = `${100 * threshold}%`;
      const right = patient.label < 0 ? "" : call === patient.label ? "right" : "wrong";
      const row = make("tr", place === 0 ? { class: "submitted" } : {}, make("th", { scope: "row" }, name));
      row.append(make("td", { class: "number" }, shown(probability)), make("td", {}, bar));
      row.append(make("td", { class: "number" }, shown(threshold)), make("td", {}, labelled(call)), make("td", {}, right));
      body.append(row);
    });
    const head = make("tr");
    for (const text of ["model", "prob.", "", "threshold", "call", ""]) head.append(make("th", { scope: "col" }, text));
    const caption = make("caption", {}, "Probability of tumoral by every model, the submitted one first; the tick is its threshold");
    const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": "Models" };
    return make("div", region, make("table", {}, caption, make("thead", {}, head), body));
  }

  function cellItem(patient, place, number, values, kind) {
    const spot = patient.shown.indexOf(place);
    const top = Math.floor(spot / data.columns) * data.side;
    const left = (spot % data.columns) * data.side;
    const score = values ? ` · ${scored(values.values[place])}` : "";
    const item = make("li", { class: kind });
    const name = `Cell ${patient.images[spot]} of ${patient.id}`;
    const picture = make("div", { class: "picture", role: "img", "aria-label": name, title: name });
    picture.style.backgroundImage = `url("${patient.sheet}")`;
    picture.style.backgroundPosition = `-${left}px -${top}px`;
    item.append(picture, `#${number}${score}`);
    if (values && values.agreeing) {
      const share = values.agreeing[place];
      item.append(make("br"), `top 10%: ${Math.round(100 * share)}%`);
      if (share > 0 && share <= 0.5) {
        item.classList.add("unstable");
        item.append(make("br"), make("strong", {}, "unstable"));
      }
    }
    return item;
  }

  function cellList(patient, places, values, kind, ranks) {
    const list = make("ol", { class: "cells" });
    for (const place of places) list.append(cellItem(patient, place, ranks[place], values, kind));
    return list;
  }

  function faithful(values) {
    if (values.fewest === undefined) return "";
    const n = values.values.length;
    const first = values.fewest === 1 ? `The first of ${n} cells alone keeps` : `The first ${values.fewest} of ${n} cells alone keep`;
    const kept = `${first} the call; in random order it takes ${values.random_fewest}.`;
    if (values.left === null) return `No part of these cells in this order keeps the call: it takes all ${n}. In random order it takes ${values.random_fewest}.`;
    const left = `Without ${values.fewest === 1 ? "it" : "them"} the probability of the call goes from ${shown(values.probability)} to ${shown(values.left)}`;
    return `${kept} ${left} (without as many cells at random, to ${shown(values.random_left)})${values.lost ? ", and the call is lost." : "."}`;
  }

  function cellSection(patient) {
    const section = make("div", { id: "cells" });
    const about = data.rankings[ranking];
    const values = about && patient.rankings[ranking];
    const n = patient.n_cells;
    if (patient.shown.length < n) section.append(make("p", { class: "soft" }, `${patient.shown.length} of ${n} cells are shown; numbers are ranks among all.`));
    if (!values) {
      section.append(make("p", { class: "soft" }, "No model has scores of these cells; they are in the order of the files."));
      section.append(cellList(patient, patient.shown, null, "", Array.from({ length: n }, (_, i) => i + 1)));
      return section;
    }
    const order = [...values.values.keys()].sort((a, b) => values.values[b] - values.values[a]);
    const ranks = [];
    order.forEach((place, rank) => { ranks[place] = rank + 1; });
    const present = order.filter((place) => patient.shown.includes(place));
    if (about.verdict) section.append(make("p", { class: "soft" }, `Evidence of this order over all patients: ${about.verdict}.`));
    const text = faithful(values);
    if (text) section.append(make("p", {}, text));
    if (about.by === "attention") {
      if (values.correlation !== null) section.append(make("p", {}, `Rank correlation of the attention of the members: ${shown(values.correlation)}. Unstable: some members, but no more than half, place the cell in their top 10%.`));
      section.append(make("h4", {}, "By attention, the highest first"), cellList(patient, present, values, "", ranks));
      return section;
    }
    const speaks = present.filter((place) => values.values[place] > about.neutral);
    const against = present.filter((place) => values.values[place] <= about.neutral).reverse();
    section.append(make("h4", {}, `For tumoral: ${speaks.length} cells with a score above ${about.neutral}, the highest first`), cellList(patient, speaks, values, "for", ranks));
    section.append(make("h4", {}, `Against: ${against.length} cells, the lowest score first`), cellList(patient, against, values, "against", ranks));
    return section;
  }

  function chooser(patient) {
    const select = make("select", { id: "ranking" });
    data.rankings.forEach((each, place) => {
      const option = make("option", { value: place }, `${each.model}, ${each.by}`);
      option.selected = place === ranking;
      select.append(option);
    });
    select.addEventListener("change", () => {
      ranking = Number(select.value);
      document.getElementById("cells").replaceWith(cellSection(patient));
    });
    return make("p", {}, make("label", { for: "ranking" }, "Cells in the order of "), select);
  }

  function show(row, focus) {
    const patient = patientOf(row);
    if (open) open.removeAttribute("aria-current");
    open = row;
    row.setAttribute("aria-current", "true");
    const facts = make("dl");
    const entries = [["Label", LABELS[patient.label]], ["Age", patient.age === null ? "unknown" : `${patient.age} years`]];
    entries.push(["Lymphocytes", patient.count === null ? "unknown" : `${patient.count} ×10⁹/L`], ["Cells", patient.n_cells]);
    entries.push(["Part", patient.part === "test" ? "test" : "training, out of fold"]);
    for (const [name, value] of entries) facts.append(make("div", {}, make("dt", {}, name), make("dd", {}, value)));
    const title = make("h3", { tabindex: "-1", id: "card-title" }, `Patient ${patient.id}`);
    card.replaceChildren(title, facts);
    if (data.rankings.length) card.append(chooser(patient));
    card.append(cellSection(patient), make("h4", {}, "Every model"), modelTable(patient));
    card.setAttribute("aria-labelledby", "card-title");
    card.hidden = false;
    if (focus) title.focus();
  }

  rows.addEventListener("click", (event) => {
    if (event.target.closest("button")) show(event.target.closest("tr"), true);
  });
  rows.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const visible = [...rows.rows].filter((row) => !row.hidden);
    const next = visible[visible.indexOf(event.target.closest("tr")) + step];
    if (next) next.querySelector("button").focus();
    event.preventDefault();
  });
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && open) open.querySelector("button").focus();
  });
  document.getElementById("finder").addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", arrange);
  sort.addEventListener("change", arrange);
  arrange();
  if (rows.rows.length) show(rows.rows[0], false);
})();
