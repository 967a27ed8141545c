// Bundles each test/*.test.ts(x) into a temporary folder and runs them with node's own test runner: `node test.mjs [NAME…]`.
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
// Inside the package, so that what stays outside the bundles is found.
const out = await mkdtemp(join(here, "node_modules", ".test-"));
try {
  const found = (await readdir(join(here, "test"))).filter((name) => /\.test\.tsx?$/.test(name)).sort();
  const tests = wanted.length > 0 ? found.filter((name) => wanted.some((word) => name.includes(word))) : found;
  await build({
    absWorkingDir: here,
    entryPoints: tests.map((name) => join("test", name)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    jsx: "automatic",
    sourcemap: "inline",
    logLevel: "warning",
  });
  const files = tests.map((name) => join(out, name.replace(/\.tsx?$/, ".mjs")));
  const env = { ...process.env, NODE_OPTIONS: "--enable-source-maps" };
  process.exitCode = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit", env }).status ?? 1;
} finally {
  await rm(out, { recursive: true, force: true });
}
