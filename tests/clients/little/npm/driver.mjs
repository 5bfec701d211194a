// driver.mjs PACKAGE TESTBED: runs every operation of an npm package through regpass and directly at a registry.
//
// TESTBED is the file that testbed.rs writes. Prints, as JSON, the package's version and the error of each operation, or null.
// The operations of a package are those that the file of its name exports.

import { readFileSync } from "node:fs";
import path from "node:path";
import { inspect } from "node:util";

import { Way } from "./way.mjs";

// Longer than any operation takes on a busy machine.
const TIME_LIMIT = 60_000;

// Runs an operation. Returns its error, or null.
async function run(operation, way) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("still running after 60 s")), TIME_LIMIT);
  });
  try {
    await Promise.race([operation(way), limit]);
    return null;
  } catch (error) {
    return `${error?.name}: ${error?.message ?? inspect(error)}`.slice(0, 400);
  } finally {
    clearTimeout(timer);
  }
}

async function main(packageName, file) {
  // What the packages print is not part of the report.
  console.log = console.info = console.warn = console.error;
  const testbed = JSON.parse(readFileSync(file, "utf8"));
  const module = packageName.replace("@", "").replace("/", "_");
  const { operations, place } = await import(`./${module}.mjs`);
  const report = [];
  for (const [name, operation] of Object.entries(operations)) {
    const outcomes = {};
    for (const [key, way] of [["through_regpass", "through"], ["direct", "direct"]]) {
      outcomes[key] = await run(operation, new Way(way, testbed, packageName, place));
    }
    report.push({ name, ...outcomes });
  }
  const packageFile = path.join(process.env.NODE_PATH, packageName, "package.json");
  const { version } = JSON.parse(readFileSync(packageFile, "utf8"));
  // Some packages leave sockets or timers behind.
  process.stdout.write(JSON.stringify({ version, operations: report }), () => process.exit(0));
}

await main(process.argv[2], process.argv[3]);
