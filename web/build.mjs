/** The program of the pages of `warmstart embed explore`, in one file with the libraries that it uses, and their licences.
 *
 * npm ci && npm run build writes src/warmstart/embed/web/{explore.js,explore.css,LICENCES.txt}, which are committed: neither
 * users nor the wheel need node. The first line of explore.js has the checksum of what it was made of; a test compares it.
 */

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "src", "warmstart", "embed", "web");
const read = (...parts) => readFileSync(join(here, ...parts), "utf8");

/** SHA-256 of the sources and of the lock file, in the order of their names. */
function checksum() {
  const hash = createHash("sha256");
  for (const name of [...readdirSync(join(here, "src")).sort().map((file) => join("src", file)), "package-lock.json"]) hash.update(read(name));
  return hash.digest("hex");
}

/** Of every package that the program may hold parts of: the libraries and what these were made with. */
function licences() {
  const { packages } = JSON.parse(read("package-lock.json"));
  const folders = Object.keys(packages).filter((folder) => folder && !packages[folder].dev).sort();
  const texts = folders.map((folder) => {
    const { name, version, license } = JSON.parse(read(folder, "package.json"));
    const file = readdirSync(join(here, folder)).find((one) => /^licen[cs]e/i.test(one));
    return `${name} ${version} (${license})\n\n${file ? read(folder, file).trim() : "(the package brings no text of its own)"}\n`;
  });
  return [...texts, read("licences", "kdbush.txt")];
}

await build({
  absWorkingDir: here, entryPoints: { explore: "src/main.js" }, bundle: true, minify: true, format: "iife", target: "es2022", charset: "utf8",
  alias: { regl: "regl/dist/regl.unchecked.js" }, legalComments: "none", outdir: out, banner: { js: `/* ${checksum()} */` },
});
await build({ absWorkingDir: here, entryPoints: { explore: "src/style.css" }, minify: true, outdir: out, charset: "utf8" });
writeFileSync(join(out, "LICENCES.txt"), licences().join("\n\n"));
