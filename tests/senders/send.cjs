// Makes the calls that are read from standard input, a list of them, with the library as it is. Arguments: the collector's address.
const { Analytics } = require("@segment/analytics-node");

const calls = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const analytics = new Analytics({ writeKey: "dev", host: process.argv[2] });
analytics.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
for (const { type, ...call } of calls) analytics[type]({ ...call, timestamp: new Date(call.timestamp) });
analytics.closeAndFlush({ timeout: 60000 });
