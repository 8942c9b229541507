// Reads an AsyncAPI document from standard input; prints every complaint and exits with 1 where there is one.
import { Parser } from "@asyncapi/parser";
import { readFileSync } from "node:fs";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf-8"));
// Hints (2, 3) tell of newer versions and missing niceties; errors (0) and warnings (1) of a document that is not right.
const complaints = diagnostics.filter((each) => each.severity <= 1);
for (const each of complaints) {
  console.log(`${each.path.join(".")}: ${each.message} (${each.code})`);
}
process.exit(document && complaints.length === 0 ? 0 : 1);
