// Drives the Node client of Sensors Analytics; its submitter says what was delivered. One mode per process: the
// client submits once only.

const SensorsAnalytics = require("sa-sdk-node");
const { version } = require("sa-sdk-node/package.json");
const { Saying, nativeValues, tell, waitUntil, without } = require("./saying.js");

const LEFT_OUT = ["huge", "left_empty", "invoice"]; // it refuses null and objects
const LOGIN = "$identity_login_id";
const ANONYMOUS = "$identity_anonymous_id";
const MODES = {
  gzip: [{ gzip: true }],
  plain: [{ gzip: false }],
  batch: [{ gzip: true }, { count: 20, timeSpan: 200 }],
  "debug and track": [{ mode: "debug_and_track" }],
  "debug, dry run": [{ mode: "debug_only" }],
};

tell(async (story, url, mode) => {
  const saying = new Saying("sa-sdk-node", version);
  const client = new SensorsAnalytics();
  const [options, batching] = MODES[mode];
  let handedOver = 0;
  let delivered = 0;
  client.inBatch(batching || {}).subscribe(() => (handedOver += 1));
  const submitter = client.submitTo({ url: `${url}/sa?project=default`, ...options }, batching);
  submitter.subscribe(() => (delivered += 1), (error) => saying.failed(error));
  for (const step of story.steps) tellStep(client, saying, story, step);
  if (batching) await waitUntil(() => handedOver * batching.count >= saying.messages.length, "the last batch");
  await waitUntil(() => !submitter.dataQueue.hasData && !submitter.dataQueue.executing, "the answers");
  if (delivered !== handedOver) saying.failed(`${delivered} of ${handedOver} requests delivered`);
  return saying;
});

function tellStep(client, saying, story, step) {
  if (step.do === "track") {
    // It knows no login ids: after the sign-up the teacher's id is a distinct_id like any other.
    const properties = without(step.properties, LEFT_OUT);
    const more = step.names_account ? { account_id: story.account } : {};
    client.track(story[step.by], step.event, { ...nativeValues(properties), ...more, $time: new Date(step.at_ms) });
    saying.sent(step, "track", { properties, event: step.event, at_ms: step.at_ms });
  } else if (step.do === "sign_up" || step.do === "alias") {
    const device = story[step.do === "sign_up" ? "device" : "tablet"];
    client.trackSignup(story.teacher, device, { plan: "trial" });
    saying.sent(step, "track_signup", { event: "$SignUp", properties: { plan: "trial" } });
    saying.knows(LOGIN, story.teacher);
    saying.knows(ANONYMOUS, device);
  } else if (step.do === "profile" && changeProfile(client, story, step)) {
    saying.sent(step, `profile_${step.operation}`);
  } else if (step.do === "item") {
    if (step.operation === "set") client.itemSet(step.type, step.name, { ...step.properties });
    else client.itemDelete(step.type, step.name);
    saying.sent(step, `item_${step.operation}`);
  }
}

// False where the client has no such call.
function changeProfile(client, story, step) {
  const properties = nativeValues(step.properties);
  const change = {
    set: () => client.profileSet(story.teacher, properties),
    set_once: () => client.profileSetOnce(story.teacher, properties),
    increment: () => client.profileIncrement(story.teacher, properties),
    append: () => client.profileAppend(story.teacher, properties),
    unset: () => client.profileUnset(story.teacher, Object.keys(properties)),
  }[step.operation];
  if (change) change();
  return Boolean(change);
}
