// What a JavaScript driver says it meant to send, in Node and in pages alike; the same form as saying.py.

class Saying {
  constructor(sdk, version) {
    this.sdk = sdk;
    this.version = version;
    this.failures = [];
    this.messages = [];
    this.identities = [];
    this.startedMs = Date.now();
  }

  // One message handed to the client; `more` may give properties, event, at_ms, account and unbound.
  sent(step, recordType, more = {}) {
    this.messages.push({ step: step.step, record_type: recordType, properties: step.properties || {}, ...more });
  }

  // An identity that the story's teacher was called by.
  knows(key, value) {
    if (!this.identities.some((each) => each[0] === key && each[1] === value)) this.identities.push([key, value]);
  }

  failed(error) {
    this.failures.push(String((error && error.message) || error));
  }

  report() {
    return {
      sdk: this.sdk,
      version: this.version,
      failures: this.failures,
      sent: this.messages,
      identities: this.identities,
      started_ms: this.startedMs,
      ended_ms: Date.now(),
    };
  }
}

// The properties without some names: what a client takes.
function without(properties, leftOut) {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !leftOut.includes(name)));
}

// Properties as a program holds them: dates are dates. A copy, since clients change what they are given.
function nativeValues(properties) {
  const isDate = (value) => value !== null && typeof value === "object" && "$date_ms" in value;
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      name,
      isDate(value) ? new Date(value.$date_ms) : value === null ? null : structuredClone(value),
    ]),
  );
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// Waits until `isDone()`, or fails with what was waited for.
async function waitUntil(isDone, what, timeoutMs = 30000) {
  const deadline = Date.now() + timeoutMs;
  while (!isDone()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(20);
  }
}

// The main of a Node driver: stories and modes on standard input, a report per story on the last line.
async function tell(drive) {
  const plan = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const reports = [];
  for (const each of plan) reports.push((await drive(each.story, each.url, each.mode)).report());
  process.stdout.write(`\n${JSON.stringify(reports)}\n`, () => process.exit(0));
}

if (typeof module !== "undefined") module.exports = { Saying, without, nativeValues, pause, waitUntil, tell };
