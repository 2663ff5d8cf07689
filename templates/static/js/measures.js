// From rows to a value, as ledger/measures.py does it: the measure is data that both read. See docs/numbers.md.
(() => {
  const IDENTITY = ["run", "row", "profile", "prompt_set", "prompt", "seed", "scorer"];
  const mean = (list) => total(list) / list.length;
  const missing = (outcome) => typeof outcome === "string";
  const worst = (outcomes) => outcomes.filter(missing).sort()[0]; // failed before not_run
  const joined = (parts) => JSON.stringify(parts);
  const into = (map, key, make) => { if (!map.has(key)) map.set(key, make()); return map.get(key); };

  // The sum of numbers, rounded once (Shewchuk 1997), so that means that tie in Python tie here.
  function total(list) {
    const partials = [];
    for (let number of list) {
      let kept = 0;
      for (let part of partials) {
        if (Math.abs(number) < Math.abs(part)) [number, part] = [part, number];
        const high = number + part, low = part - (high - number);
        if (low) partials[kept++] = low;
        number = high;
      }
      partials.length = kept;
      partials.push(number);
    }
    let sum = partials.pop() ?? 0, low = 0;
    while (partials.length && !low) {
      const part = partials.pop(), high = sum + part;
      low = part - (high - sum);
      sum = high;
    }
    const next = partials.pop() ?? 0; // a tie is rounded towards what is left of the sum
    return low * next > 0 && sum + 2 * low - sum === 2 * low ? sum + 2 * low : sum;
  }

  // -- rows ----------------------------------------------------------------------------------------------------------

  // CSV with quoted cells, as objects by the names in its first line.
  function parse(text) {
    const lines = [[""]];
    let quoted = false;
    for (let at = 0; at < text.length; at += 1) {
      const sign = text[at], line = lines[lines.length - 1];
      if (quoted && sign === '"' && text[at + 1] === '"') { line[line.length - 1] += '"'; at += 1; }
      else if (sign === '"') quoted = !quoted;
      else if (!quoted && sign === ",") line.push("");
      else if (!quoted && sign === "\n") lines.push([""]);
      else if (quoted || sign !== "\r") line[line.length - 1] += sign;
    }
    const names = lines.shift();
    return lines.filter((line) => line.length === names.length).map((line) => Object.fromEntries(names.map((name, at) => [name, line[at]])));
  }

  const fits = (text, wanted) => wanted.endsWith("*") ? text.startsWith(wanted.slice(0, -1)) : text === wanted;
  const selects = (chosen, row) => (row.way === chosen.way || row.way === chosen.less || chosen.way === "*")
    && Object.entries(chosen.where || {}).every(([column, texts]) => texts.some((wanted) => fits(row[column], wanted)));

  // -- observations --------------------------------------------------------------------------------------------------

  // Key of a picture, or pair of pictures, as one scorer saw it -> { unit, outcome }.
  function observations(chosen, rows) {
    const ways = new Map();
    for (const row of rows) {
      if (!selects(chosen, row)) continue;
      const unit = Object.fromEntries(IDENTITY.map((name) => [name, row[name]]));
      const key = joined([...IDENTITY.map((name) => row[name]), chosen.less ? "" : row.way]);
      const found = into(ways, joined([key, row.label]), () => ({ key, unit, outcomes: {} }));
      found.outcomes[row.way === chosen.less ? "less" : "way"] = row.number === "" ? row.status : Number(row.number);
    }
    const pictures = new Map();
    for (const { key, unit, outcomes } of ways.values()) into(pictures, key, () => ({ unit, all: [] })).all.push(observed(chosen, outcomes));
    return new Map([...pictures].map(([key, { unit, all }]) => [key, { unit, outcome: oneNumber(chosen, all) }]));
  }

  function observed(chosen, outcomes) {
    const needed = (chosen.less ? ["way", "less"] : ["way"]).map((side) => outcomes[side] ?? "not_run");
    if (worst(needed)) return worst(needed);
    const number = chosen.less ? needed[0] - needed[1] : needed[0];
    const { above, at_least: least, below } = chosen;
    if (above == null && least == null && below == null) return number;
    return Number((above == null || number > above) && (least == null || number >= least) && (below == null || number < below));
  }

  const oneNumber = (chosen, outcomes) => worst(outcomes) ?? (chosen.labels === "sum" ? total(outcomes) : mean(outcomes));

  // -- pairs and clusters --------------------------------------------------------------------------------------------

  const AGREEMENT = ["auroc", "accuracy", "balanced_accuracy", "f1", "kappa"];
  const UNPAIRED = ["auroc_between", "rank", "place"];
  const noise = (unit) => joined([unit.prompt_set, unit.prompt, unit.seed]);
  const picture = (unit) => joined([unit.row, unit.profile, unit.prompt_set, unit.prompt, unit.seed]);

  // A lookup by what units share: the mean over all that share it.
  function by(shared, found) {
    const groups = new Map();
    for (const { unit, outcome } of found.values()) into(groups, shared(unit), () => []).push(outcome);
    return (unit) => meanOrMissing(groups.get(shared(unit)));
  }

  function pairsOf(measure, rows) {
    const first = [...observations(measure.of, rows).values()];
    const second = measure.beside ? observations(measure.beside, rows) : new Map();
    const paired = measure.beside && !UNPAIRED.includes(measure.statistic);
    const partner = paired ? by(AGREEMENT.includes(measure.statistic) ? picture : noise, second) : () => null;
    const conditions = (measure.only ?? []).map((one) => by(picture, observations(one, rows)));
    let sides = first.map(({ unit, outcome }) => [unit, outcome, partner(unit)]);
    if (!paired) sides.push(...[...second.values()].map(({ unit, outcome }) => [unit, null, outcome]));
    sides = sides.map((side) => [...side, ...conditions.map((held) => held(side[0]))]).filter(([, , , ...held]) => held.every((one) => missing(one) || one === 1));
    const lost = sides.map(([, ...all]) => worst(all)).filter(Boolean);
    return { pairs: sides.filter(([, ...all]) => !worst(all)), lost };
  }

  function meanOrMissing(outcomes = []) {
    const numbers = outcomes.filter((one) => !missing(one));
    return numbers.length ? mean(numbers) : worst(outcomes) ?? "not_run";
  }

  function clustersOf(pairs, cluster = "prompt") {
    const clusters = new Map();
    for (const pair of pairs) {
      const unit = pair[0], prompt = joined([unit.prompt_set, unit.prompt]);
      const key = { prompt, observation: pair }[cluster] ?? unit[cluster]; // a pair is its own key
      const prompts = into(clusters, key, () => new Map());
      into(prompts, prompt, () => []).push(pair);
    }
    return [...clusters.values()].map((prompts) => [...prompts.values()]);
  }

  const lineOf = (clusters, number) => clusters.map((prompts) => mean(prompts.map((prompt) => mean(prompt.map(number)))));

  // -- intervals -----------------------------------------------------------------------------------------------------

  function mulberry32(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6D2B79F5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return (t ^ (t >>> 14)) >>> 0;
    };
  }

  function quantile(list, share) {
    const sorted = Float64Array.from(list).sort();
    const at = (sorted.length - 1) * share, low = Math.floor(at), high = Math.ceil(at);
    return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
  }

  // 95 % percentile bootstrap over `size` clusters; `statistic` gets their numbers and may give NaN where it is undefined.
  function bootstrap(measure, size, statistic) {
    const next = mulberry32(measure.seed ?? 0), replicates = [], picked = new Array(size);
    for (let resample = 0; resample < (measure.resamples ?? 10000); resample += 1) {
      for (let item = 0; item < size; item += 1) picked[item] = Math.floor(next() / 2 ** 32 * size);
      const number = statistic(picked);
      if (!Number.isNaN(number)) replicates.push(number);
    }
    const spread = replicates.some((one) => one !== replicates[0]);
    return spread ? [quantile(replicates, 0.025), quantile(replicates, 0.975)] : null;
  }

  function wilson(share, n) {
    const z = 1.959963984540054;
    const centre = (share + z * z / (2 * n)) / (1 + z * z / n);
    const half = z * Math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    return [Math.max(0, Math.min(share, centre - half)), Math.min(1, Math.max(share, centre + half))];
  }

  const T_975 = [12.7062047362, 4.3026527297, 3.1824463053, 2.7764451052, 2.5705818356, 2.4469118511, 2.3646242516, 2.3060041352, 2.2621571628];
  function student(line) {
    if (line.every((one) => one === line[0])) return null;
    const middle = mean(line), deviation = Math.sqrt(line.reduce((sum, one) => sum + (one - middle) ** 2, 0) / (line.length - 1));
    const half = T_975[line.length - 2] * deviation / Math.sqrt(line.length);
    return [middle - half, middle + half];
  }

  function intervalOfMean(measure, line) {
    if (measure.interval === "wilson") return wilson(mean(line), line.length);
    if (measure.interval === "t") return student(line);
    if (measure.interval !== "bootstrap" || line.every((one) => one === line[0])) return null;
    return bootstrap(measure, line.length, (picked) => picked.reduce((sum, at) => sum + line[at], 0) / picked.length);
  }

  // -- statistics ----------------------------------------------------------------------------------------------------

  const AVERAGED = {
    mean: ([, first]) => first,
    share: ([, first]) => first,
    contrast: ([, first, second]) => first - second,
    average: ([, first, second]) => (first + second) / 2,
    wins: ([, first, second]) => Number(first > second),
  };

  const PLACED = {
    rank: (number, others) => 1 + others.filter((other) => other > number).length,
    place: (number, others) => {
      const low = Math.min(...others), high = Math.max(...others);
      return low === high ? null : (number - low) / (high - low);
    },
  };

  // Where the mean of the first side stands among those of the rows beside it, over the clusters in which all have a number.
  function placed(measure, clusters) {
    const competitor = ([unit, , second]) => second === null ? "" : unit.row;
    const rows = [...new Set(clusters.flat(2).map(competitor))];
    const ofRow = (row, cluster) => cluster.map((prompt) => prompt.filter((pair) => competitor(pair) === row)).filter((prompt) => prompt.length);
    const whole = clusters.filter((cluster) => rows.every((row) => ofRow(row, cluster).length));
    if (!rows.includes("") || !whole.length) return null;
    const meanOf = (row) => mean(lineOf(whole.map((cluster) => ofRow(row, cluster)), ([, first, second]) => second ?? first));
    const others = [...rows.filter(Boolean).map(meanOf), ...(measure.among ?? [])];
    return others.length ? PLACED[measure.statistic](meanOf(""), others) : null;
  }

  const variance = (list) => { const middle = mean(list); return mean(list.map((one) => (one - middle) ** 2)); };

  function ranks(list) {
    const order = list.map((_, at) => at).sort((a, b) => list[a] - list[b]), found = new Array(list.length);
    for (let start = 0; start < order.length;) {
      let end = start;
      while (end < order.length && list[order[end]] === list[order[start]]) end += 1;
      for (let at = start; at < end; at += 1) found[order[at]] = (start + end + 1) / 2;
      start = end;
    }
    return found;
  }

  function correlation(first, second) {
    const a = mean(first), b = mean(second);
    const sum = (number) => total(first.map((one, at) => number(one - a, second[at] - b)));
    const scale = Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
    return scale ? sum((x, y) => x * y) / scale : NaN;
  }

  function auroc(truth, scores) {
    const positives = truth.filter(Boolean).length, negatives = truth.length - positives;
    if (!positives || !negatives) return NaN;
    const placed = ranks(scores), sum = total(placed.filter((_, at) => truth[at]));
    return (sum - positives * (positives + 1) / 2) / (positives * negatives);
  }

  const ON_CASES = {
    correlation,
    rank_correlation: (first, second) => correlation(ranks(first), ranks(second)),
    auroc: (scores, truth) => auroc(truth, scores),
    auroc_between: (high, low) => auroc([...high.map(() => 1), ...low.map(() => 0)], [...high, ...low]),
    accuracy: (guess, truth) => mean(guess.map((one, at) => Number(one === truth[at]))),
    balanced_accuracy: (guess, truth) => mean([0, 1].map((kind) => guess.filter((_, at) => truth[at] === kind).map((one) => Number(one === kind))).filter((one) => one.length).map(mean)),
    f1: (guess, truth) => {
      const hits = guess.filter((one, at) => one && truth[at]).length, errors = guess.filter((one, at) => one !== truth[at]).length;
      return hits || errors ? 2 * hits / (2 * hits + errors) : 0;
    },
    kappa: (first, second) => {
      const expected = variance(first) + variance(second) + (mean(first) - mean(second)) ** 2;
      return expected ? 1 - mean(first.map((one, at) => (one - second[at]) ** 2)) / expected : 1;
    },
  };

  function caseOf(statistic, cluster) {
    if (statistic.endsWith("correlation")) return [1, 2].map((side) => lineOf([cluster], (pair) => pair[side]));
    return [1, 2].map((side) => cluster.flat().map((pair) => pair[side]).filter((one) => one !== null));
  }

  function onCases(measure, clusters) {
    const cases = clusters.map((cluster) => caseOf(measure.statistic, cluster));
    const statistic = (picked) => {
      const [first, second] = [0, 1].map((side) => picked.flatMap((at) => cases[at][side]));
      return first.length && second.length ? ON_CASES[measure.statistic](first, second) : NaN;
    };
    const value = statistic(cases.map((_, at) => at));
    if (Number.isNaN(value)) return { value: null, interval: null };
    if (measure.interval === "wilson") return { value, interval: wilson(value, cases.length) };
    return { value, interval: measure.interval === "bootstrap" ? bootstrap(measure, cases.length, statistic) : null };
  }

  const supports = (measure) => ["count", "quantile", ...Object.keys(AVERAGED), ...Object.keys(PLACED), ...Object.keys(ON_CASES)].includes(measure.statistic);

  // The value of a measure: { value, interval, n, clusters, failed, not_run }; value is null where nothing was scored.
  function evaluate(measure, rows) {
    const { pairs, lost } = pairsOf(measure, rows);
    const clusters = clustersOf(pairs, measure.cluster);
    const counts = { n: pairs.length, clusters: clusters.length, failed: lost.filter((one) => one === "failed").length, not_run: lost.filter((one) => one === "not_run").length };
    if (measure.statistic === "count") return { value: pairs.length, interval: null, ...counts };
    if (!clusters.length) return { value: null, interval: null, ...counts };
    if (measure.statistic === "quantile") return { value: quantile(lineOf(clusters, ([, first]) => first), measure.quantile), interval: null, ...counts };
    if (measure.statistic in PLACED) return { value: placed(measure, clusters), interval: null, ...counts };
    if (!(measure.statistic in AVERAGED)) return { ...onCases(measure, clusters), ...counts };
    const line = lineOf(clusters, AVERAGED[measure.statistic]);
    return { value: mean(line), interval: intervalOfMean(measure, line), ...counts };
  }

  globalThis.measures = { parse, selects, supports, evaluate };
})();
