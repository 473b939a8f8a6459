// Drives the WeChat mini program's client of Sensors Analytics. `wx` is a stand-in with real HTTP below `wx.request`;
// the client above it is the one from the registry. One mode per process: the client is a global of its program.

const { version } = require("sa-sdk-miniprogram/package.json");
const { Saying, nativeValues, tell, waitUntil, without } = require("./saying.js");

const LEFT_OUT = ["huge", "invoice"]; // JavaScript has no such whole numbers, and it makes objects texts
const OFTEN = { batch_send: { send_timeout: 300, max_length: 6 } };
const MODES = { batch: OFTEN, "gzip plugin": OFTEN, single: { batch_send: false } };
const storage = new Map();
const requests = { open: 0, answered: 0, failed: 0 };
const listeners = { show: [], hide: [] };

// WeChat sets it for every request, and no mini program can change it.
const REFERER = { referer: "https://servicewechat.com/wxschool0123456789/1/page-frame.html" };

// As in WeChat: whatever the status, an answer is a success; only a broken connection fails.
async function request({ url, method, data, header, success, fail }) {
  requests.open += 1;
  try {
    const body = method === "POST" ? data : undefined;
    const response = await fetch(url, { method, headers: { ...header, ...REFERER }, body });
    const text = await response.text();
    requests.answered += 1;
    if (success) success({ statusCode: response.status, data: text });
  } catch (error) {
    requests.failed += 1;
    if (fail) fail(error);
  }
  requests.open -= 1;
}

const system = { brand: "devtools", model: "iPhone 15", platform: "ios", system: "iOS 17.0", SDKVersion: "3.4.0" };
global.wx = {
  request,
  getStorageSync: (key) => storage.get(key) || "",
  setStorageSync: (key, value) => storage.set(key, structuredClone(value)),
  getStorage: ({ key, success, complete }) => {
    const result = { data: storage.get(key) };
    for (const callback of [success, complete]) if (callback) callback(result);
  },
  getSystemInfo: ({ success }) => success({ ...system, version: "8.0.50", screenWidth: 390, screenHeight: 844 }),
  getNetworkType: ({ success }) => success({ networkType: "wifi" }),
  getAccountInfoSync: () => ({ miniProgram: { appId: "wxschool0123456789", envVersion: "release", version: "1.0.0" } }),
  getLaunchOptionsSync: () => ({ path: "pages/index", scene: 1001, query: {} }),
  onNetworkStatusChange: () => {},
  onAppShow: (listener) => listeners.show.push(listener),
  onAppHide: (listener) => listeners.hide.push(listener),
  setNavigationBarTitle: () => {},
};
global.App = () => {};
global.Component = () => {};
const page = { route: "pages/index" };
global.Page = (options) => Object.assign(page, options);
global.getCurrentPages = () => [page];

const sensors = require("sa-sdk-miniprogram");

tell(async (story, url, mode) => {
  const saying = new Saying("sa-sdk-miniprogram", version);
  if (mode === "gzip plugin") sensors.use(require("sa-sdk-miniprogram/dist/wechat/plugin/gzip/index.cmd.js"));
  sensors.setPara({ server_url: `${url}/sa?project=default`, ...MODES[mode] });
  const isReady = new Promise((resolve) => sensors.ee.sdk.on("ready", resolve));
  sensors.init();
  openApp();
  await isReady;
  sensors.identify(story.device);
  for (const step of story.steps) tellStep(saying, story, step);
  for (const listener of listeners.hide) listener();
  await waitUntil(() => requests.open === 0 && sensors.store.mem.getLength() === 0, "the queue to empty");
  if (requests.failed || !requests.answered) saying.failed(`${requests.failed} failed, ${requests.answered} answered`);
  return saying;
});

// What WeChat does when somebody opens the mini program.
function openApp() {
  Page({ onLoad() {}, onShow() {} });
  for (const listener of listeners.show) listener(wx.getLaunchOptionsSync());
  page.onLoad({});
  page.onShow();
}

function tellStep(saying, story, step) {
  const changeProfile = {
    set: sensors.setProfile,
    set_once: sensors.setOnceProfile,
    increment: sensors.incrementProfile,
    append: sensors.appendProfile,
  };
  if (step.do === "track" && step.by !== "tablet") {
    const properties = without(step.properties, LEFT_OUT);
    const more = step.names_account ? { account_id: story.account } : {};
    // Now, always: this client moves an older `$time` to one millisecond after the event before.
    sensors.track(step.event, { ...nativeValues(properties), ...more });
    saying.sent(step, "track", { properties, event: step.event, at_ms: null });
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
  }
}
