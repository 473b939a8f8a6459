// The steps of the story as the six calls of Segment's Node client, which RudderStack's has too.

const { nativeValues, without } = require("./saying.js");

const LEFT_OUT = ["huge"]; // JavaScript has no such whole numbers
const LOGIN = "$identity_login_id";
const ANONYMOUS = "$identity_anonymous_id";

// `call(name, message)` hands one message to the client.
function tellStep(call, saying, story, step) {
  const who = step.by === "teacher" ? { userId: story.teacher } : { anonymousId: story[step.by] };
  if (step.do === "track") {
    const properties = without(step.properties, LEFT_OUT);
    const context = step.names_account ? { groupId: story.account } : {};
    const timestamp = new Date(step.at_ms);
    call("track", { ...who, event: step.event, properties: nativeValues(properties), timestamp, context });
    saying.sent(step, "track", { properties, event: step.event, at_ms: step.at_ms });
  } else if (step.do === "page" || step.do === "screen") {
    call(step.do, { ...who, name: step.name, properties: { ...step.properties }, timestamp: new Date(step.at_ms) });
    const event = step.do === "page" ? "$pageview" : "$screen";
    saying.sent(step, step.do, { event, at_ms: step.at_ms, properties: { ...step.properties, name: step.name } });
  } else if (step.do === "sign_up") {
    call("identify", { userId: story.teacher, anonymousId: story.device });
    saying.sent(step, "identify");
    saying.knows(LOGIN, story.teacher);
    saying.knows(ANONYMOUS, story.device);
  } else if (step.do === "alias") {
    call("alias", { userId: story.teacher, previousId: story.tablet });
    saying.sent(step, "alias");
    saying.knows(ANONYMOUS, story.tablet);
  } else if (step.do === "profile" && step.operation === "set") {
    call("identify", { userId: story.teacher, traits: nativeValues(step.properties) });
    saying.sent(step, "identify");
  } else if (step.do === "account") {
    call("group", { userId: story.teacher, groupId: story.account, traits: { ...step.properties } });
    saying.sent(step, "group", { account: story.account });
  }
}

module.exports = { tellStep };
