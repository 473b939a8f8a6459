// Drives RudderStack's client for Node; every call's own callback says whether it was delivered.

const RudderAnalytics = require("@rudderstack/rudder-sdk-node");
const { version } = require("@rudderstack/rudder-sdk-node/package.json");
const { Saying, tell, waitUntil } = require("./saying.js");
const { tellStep } = require("./six_calls.js");

const OPTIONS = { gzip: {}, plain: { gzip: false } };

tell(async (story, url, mode) => {
  const saying = new Saying("@rudderstack/rudder-sdk-node", version);
  const errorHandler = (error) => saying.failed(error);
  const client = new RudderAnalytics("key-r", { dataPlaneUrl: url, flushInterval: 200, errorHandler, ...OPTIONS[mode] });
  let delivered = 0;
  const call = (name, message) => client[name](message, (error) => (error ? saying.failed(error) : (delivered += 1)));
  for (const step of story.steps) tellStep(call, saying, story, step);
  await waitUntil(() => delivered + saying.failures.length >= saying.messages.length, "the callbacks");
  return saying;
});
