// Drives Segment's client for Node; every call's own callback says whether it was delivered.

const { Analytics } = require("@segment/analytics-node");
const { version } = require("@segment/analytics-node/package.json");
const { Saying, tell } = require("./saying.js");
const { tellStep } = require("./six_calls.js");

const OPTIONS = { batches: {}, "one by one": { flushAt: 1 } };

tell(async (story, url, mode) => {
  const saying = new Saying("@segment/analytics-node", version);
  const client = new Analytics({ writeKey: "key-s", host: url, ...OPTIONS[mode] });
  client.on("error", (error) => saying.failed(error.reason || error.code));
  let delivered = 0;
  const call = (name, message) => client[name](message, (error) => (error ? saying.failed(error) : (delivered += 1)));
  for (const step of story.steps) tellStep(call, saying, story, step);
  await client.closeAndFlush({ timeout: 30000 });
  if (delivered !== saying.messages.length) saying.failed(`${delivered} of ${saying.messages.length} delivered`);
  return saying;
});
