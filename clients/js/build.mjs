// Builds the package into dist (or the folder given): `node build.mjs [FOLDER]`. Prints what the client weighs.
import { spawnSync } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "dist"));
await rm(out, { recursive: true, force: true });

const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  charset: "utf8",
  target: ["es2022"],
  logLevel: "warning",
};

// Not minified: whoever bundles it does that, and whoever debugs it can read it. Worklets are loaded as they are.
await build({ ...common, entryPoints: ["src/index.ts", "src/react.ts"], outdir: out, splitting: true, external: ["react"] });
await build({
  ...common,
  entryPoints: ["src/worklets/capture.ts", "src/worklets/playback.ts"],
  outdir: join(out, "worklets"),
  minify: true,
});
const tsc = join(here, "node_modules", "typescript", "bin", "tsc");
const types = spawnSync(process.execPath, [tsc, "-p", "tsconfig.types.json", "--outDir", join(out, "types")], {
  cwd: here,
  stdio: "inherit",
});
if (types.status !== 0) process.exit(types.status ?? 1);

/** Bytes, minified and gzipped, of what an application gets that imports only this. */
async function weight(contents) {
  const { outputFiles } = await build({
    ...common,
    stdin: { contents, resolveDir: out, loader: "js" },
    minify: true,
    write: false,
    external: ["react"],
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

const weights = {
  client: await weight('export { RealtimeVoiceClient } from "./index.js"'),
  everything: await weight('export * from "./index.js"'),
  hook: await weight('export { useVoice } from "./react.js"'),
  error: await weight('export { VoiceError } from "./index.js"'),
};
for (const name of await readdir(join(out, "worklets"))) {
  weights[`worklets/${name}`] = gzipSync(await readFile(join(out, "worklets", name)), { level: 9 }).length;
}
console.log(JSON.stringify(weights));
