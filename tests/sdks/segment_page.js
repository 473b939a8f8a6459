// Drives Segment's browser client inside a page; each call's own promise says whether it was delivered.

const LEFT_OUT = ["huge"]; // JavaScript has no such whole numbers
const STRATEGIES = {
  single: { strategy: "standard" },
  batching: { strategy: "batching", config: { size: 10, timeout: 300 } },
};

window.drive = async (story, url, mode) => {
  const { AnalyticsBrowser } = window.AnalyticsNext;
  const apiHost = `${url.replace("http://", "")}/v1`;
  const [analytics] = await AnalyticsBrowser.load(
    { writeKey: "key-s", cdnURL: location.origin },
    { integrations: { "Segment.io": { apiHost, protocol: "http", deliveryStrategy: STRATEGIES[mode] } } },
  );
  const saying = new Saying("@segment/analytics-next", analytics.VERSION);
  analytics.on("error", (error) => saying.failed(error.reason || error.code));
  for (const step of story.steps) {
    const context = await tellStep(analytics, saying, story, step);
    const failed = context && context.failedDelivery();
    if (failed) saying.failed(failed.reason);
  }
  await waitUntil(() => quietForMs(url) > 1000, "the last batch");
  return saying.report();
};

// How long ago the last request to the collector was answered.
function quietForMs(url) {
  const ends = performance
    .getEntriesByType("resource")
    .filter((each) => each.name.startsWith(url))
    .map((each) => each.responseEnd);
  return performance.now() - Math.max(0, ...ends);
}

async function tellStep(analytics, saying, story, step) {
  const options = { timestamp: new Date(step.at_ms) };
  if (step.by === "device" || step.by === "tablet") analytics.setAnonymousId(story[step.by]);
  if (step.do === "track") {
    const properties = without(step.properties, LEFT_OUT);
    if (step.names_account) options.context = { groupId: story.account };
    saying.sent(step, "track", { properties, event: step.event, at_ms: step.at_ms });
    return analytics.track(step.event, nativeValues(properties), options);
  }
  if (step.do === "page" || step.do === "screen") {
    const event = step.do === "page" ? "$pageview" : "$screen";
    saying.sent(step, step.do, { event, at_ms: step.at_ms, properties: { ...step.properties, name: step.name } });
    return analytics[step.do](step.name, { ...step.properties }, options);
  }
  if (step.do === "sign_up") {
    analytics.setAnonymousId(story.device);
    saying.sent(step, "identify");
    saying.knows("$identity_login_id", story.teacher);
    saying.knows("$identity_anonymous_id", story.device);
    return analytics.identify(story.teacher);
  }
  if (step.do === "alias") {
    saying.sent(step, "alias");
    saying.knows("$identity_anonymous_id", story.tablet);
    return analytics.alias(story.teacher, story.tablet);
  }
  if (step.do === "profile" && step.operation === "set") {
    saying.sent(step, "identify");
    return analytics.identify(story.teacher, nativeValues(step.properties));
  }
  if (step.do === "account") {
    saying.sent(step, "group", { account: story.account });
    return analytics.group(story.account, { ...step.properties });
  }
  return undefined;
}
