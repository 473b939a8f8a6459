// Drives the browser client of Sensors Analytics inside a page. Images and beacons tell their page nothing; what the
// other ways of sending report (`sendSuccess`, `sendFail`) is counted, and for all of them the requests themselves.

import sensors from "/sdks/sa-sdk-javascript/sensorsdata.es6.min.js";

const LEFT_OUT = ["huge"]; // JavaScript has no such whole numbers
const MODES = {
  image: {},
  ajax: { send_type: "ajax" },
  beacon: { send_type: "beacon" },
  batch: { batch_send: { send_interval: 400 } },
};

window.drive = async (story, url, mode) => {
  const saying = new Saying("sa-sdk-javascript", sensors.lib_version);
  const told = { delivered: 0 };
  sensors.init({ server_url: `${url}/sa?project=default`, show_log: false, ...MODES[mode] });
  sensors.ee.data.on("sendSuccess", () => (told.delivered += 1));
  sensors.ee.data.on("sendFail", () => saying.failed("sendFail"));
  sensors.identify(story.device);
  sensors.quick("autoTrack");
  for (const step of story.steps) {
    tellStep(saying, story, step);
    await pause(3); // requests overtake each other: changes of a profile are ordered by their own milliseconds
  }
  await waitUntil(() => isAllSent(saying, url, mode), "the requests");
  if (mode === "batch" && told.delivered === 0) saying.failed("no batch reported as delivered");
  return saying.report();
};

function isAllSent(saying, url, mode) {
  if (mode === "batch") return queuedMessages() === 0;
  const requests = performance.getEntriesByType("resource").filter((each) => each.name.startsWith(url));
  return requests.length >= saying.messages.length + 2; // beside what was meant, $pageview and a profile_set_once
}

function queuedMessages() {
  return Object.keys(localStorage).filter((key) => key.startsWith("sawebjssdk-")).length;
}

function tellStep(saying, story, step) {
  const changeProfile = {
    set: sensors.setProfile,
    set_once: sensors.setOnceProfile,
    increment: sensors.incrementProfile,
    append: sensors.appendProfile,
    unset: (properties) => sensors.unsetProfile(Object.keys(properties)),
  };
  if (step.do === "track" && step.by !== "tablet") {
    const properties = without(step.properties, LEFT_OUT);
    const more = step.names_account ? { account_id: story.account } : {};
    sensors.track(step.event, { ...nativeValues(properties), ...more, $time: new Date(step.at_ms) });
    saying.sent(step, "track", { properties, event: step.event, at_ms: step.at_ms });
  } else if (step.do === "sign_up") {
    sensors.login(story.teacher);
    saying.sent(step, "track_signup", { event: "$SignUp" });
    saying.knows("$identity_login_id", story.teacher);
    saying.knows("$identity_anonymous_id", story.device);
  } else if (step.do === "bind") {
    sensors.bind("$identity_mobile", story.mobile);
    saying.sent(step, "track_id_bind", { event: "$BindID" });
    saying.knows("$identity_mobile", story.mobile);
  } else if (step.do === "unbind") {
    sensors.unbind("$identity_mobile", story.mobile);
    saying.sent(step, "track_id_unbind", { event: "$UnbindID", unbound: ["$identity_mobile", story.mobile] });
  } else if (step.do === "profile" && changeProfile[step.operation]) {
    changeProfile[step.operation](nativeValues(step.properties));
    saying.sent(step, `profile_${step.operation}`);
  } else if (step.do === "item") {
    if (step.operation === "set") sensors.setItem(step.type, step.name, { ...step.properties });
    else sensors.deleteItem(step.type, step.name);
    saying.sent(step, `item_${step.operation}`);
  }
}
