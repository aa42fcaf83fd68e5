// Stitchlake on web pages: docs/how-to/connect-a-library.md. What is served is this file without comments and indentation.
//
// A call lies in localStorage, under a name that begins with its time, until the collector has it: neither an hour offline nor a closed
// tab loses one. It is sent under its own id however often it is sent, and the lake takes an id once. So a beacon is no receipt, and
// two tabs may send the same call.
//
// The lake remembers an id for DEDUPE_DAYS days, which the service puts in here. What was tried stands behind the time of the first try, and is
// given up half as many days later, when nobody has answered: it may have arrived, and would be counted twice. What never left waits without end.
(() => {
  if (window.stitchlake?.track) return;
  const { src, dataset } = document.currentScript;
  const address = new URL("v1/batch", src).href, mark = "stitchlake.", most = 2000, again = DEDUPE_DAYS * 864e5 / 2;
  const waiting = new Map();
  let store, who = {}, timer, isSending, pause = 0, last = 0, left = "";
  try { store = localStorage; } catch {} // a browser may forbid it: then calls live as long as the page

  const hex = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => (byte + 256).toString(16).slice(1)).join("");
  const keep = (name, text) => { try { store.setItem(name, text); } catch {} };
  const put = (name, text) => { waiting.set(name, text); keep(name, text); };
  const forget = (name) => { waiting.delete(name); store?.removeItem(name); };
  const visitor = () => {
    try { who = JSON.parse(store.getItem(mark + "visitor")) || who; } catch {} // another tab may have said who it is
    return who.anonymousId ? who : remember({ anonymousId: hex() });
  };
  const remember = (said) => {
    keep(mark + "visitor", JSON.stringify(who = { ...who, ...said }));
    return who;
  };

  const add = (type, said) => {
    const { anonymousId, userId, consent } = visitor(), { title, referrer } = document, { href: url, pathname: path, search } = location;
    const page = { url, path, search, title, referrer }, messageId = hex();
    if (type == "page") said.properties = { ...page, ...said.properties };
    const text = JSON.stringify({
      ...said, type, messageId, anonymousId, userId, originalTimestamp: new Date().toISOString(),
      context: {
        page, userAgent: navigator.userAgent, locale: navigator.language, library: { name: "stitchlake.js", version: "1" },
        consent: consent && { categoryPreferences: consent },
        globalPrivacyControl: navigator.globalPrivacyControl || undefined,
      },
    });
    const name = mark + (last = Math.max(Date.now(), last + 1)) + messageId;
    put(name, text);
    if (waiting.size > most) {
      console.error("stitchlake: more than", most, "calls wait, the oldest is dropped");
      forget(waiting.keys().next().value);
    }
    timer ||= setTimeout(send, 300);
  };

  // The names of the next batch behind a name: at most what a browser takes as a beacon.
  const next = (behind) => {
    let size = 0;
    const names = [...waiting.keys()].filter((name) => name > behind).slice(0, 100);
    return names.filter((name, index) => (size += waiting.get(name).length) < 50000 || !index);
  };
  const body = (names) => {
    if (navigator.onLine !== false) // else nothing leaves
      names.forEach((name) => parseInt(waiting.get(name)) || put(name, Date.now() + waiting.get(name)));
    const calls = names.map((name) => waiting.get(name).replace(/^\d+/, ""));
    return `{"writeKey":${JSON.stringify(dataset.writeKey)},"sentAt":"${new Date().toISOString()}","batch":[${calls}]}`;
  };
  const giveUp = () => {
    const old = [...waiting.keys()].filter((name) => parseInt(waiting.get(name)) < Date.now() - again);
    if (old.length) console.error("stitchlake: not sent again, for they may have arrived long ago:", old.length, "calls");
    old.forEach(forget);
  };

  const send = async () => {
    clearTimeout(timer);
    timer = 0;
    giveUp();
    if (isSending || !waiting.size) return;
    isSending = true;
    const names = next("");
    let asked = 0;
    try {
      const answer = await fetch(address, { method: "POST", body: body(names) });
      const told = await answer.json().catch(() => ({})); // what a proxy says instead of the collector is no answer
      asked = 1000 * answer.headers.get("retry-after");
      if (!told.success || told.refused) console.error("stitchlake:", told);
      if (!told.success && told.code != 400 && told.code != 413) throw 0; // it may go well another time
      names.forEach(forget);
      pause = 0;
    } catch {
      pause = Math.max(asked || 0, Math.min(2 * pause || 1000, 60000));
    }
    isSending = false;
    if (waiting.size) timer ||= setTimeout(send, pause);
  };
  const leave = () => {
    giveUp();
    for (let names; (names = next(left)).length && navigator.sendBeacon(address, body(names)); left = names.at(-1));
  };

  const calls = {
    page: (name, properties) => add("page", { name, properties }),
    track: (event, properties) => add("track", { event, properties }),
    identify: (userId, traits) => {
      if (userId && typeof userId == "object") [userId, traits] = [, userId];
      if (userId) remember({ ...visitor(), userId: `${userId}` });
      add("identify", { traits });
    },
    consent: (purposes) => {
      remember({ consent: { ...visitor().consent, ...purposes } });
      add("track", { event: "Segment Consent Preference Updated" });
    },
    reset: () => remember({ anonymousId: hex(), userId: undefined }),
    push: (...lines) => lines.forEach(([call, ...said]) => calls[call](...said)),
  };

  Object.keys(store || {}).filter((name) => /^stitchlake\.\d/.test(name)).sort().forEach((name) => waiting.set(name, store[name]));
  const early = window.stitchlake || [];
  window.stitchlake = calls;
  calls.push(...early);
  addEventListener("online", () => { pause = 0; send(); });
  addEventListener("pagehide", leave);
  addEventListener("visibilitychange", () => document.visibilityState == "hidden" && leave());
  send();
})();
