// Bundles the page into src/vivavoce/web (or the folder given): `node build.mjs [FOLDER]`.
// The same sources give the same bytes: no hashes in names, no dates, pinned tools.
import { cp, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "..", "src", "vivavoce", "web"));

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  legalComments: "none",
  charset: "utf8",
  target: ["es2022"],
  logLevel: "warning",
};

await build({ ...common, entryPoints: ["src/main.ts"], outfile: join(out, "app.js"), format: "esm" });
await build({
  ...common,
  entryPoints: ["../clients/js/src/worklets/capture.ts", "../clients/js/src/worklets/playback.ts"],
  outdir: join(out, "worklets"),
  format: "esm",
});
await build({ ...common, entryPoints: ["static/style.css"], outfile: join(out, "style.css") });
for (const name of ["index.html", "icon.svg"]) {
  await cp(join(here, "static", name), join(out, name));
}

for (const name of ["index.html", "style.css", "app.js", "worklets/capture.js", "worklets/playback.js"]) {
  const { size } = await stat(join(out, name));
  console.log(`${String(size).padStart(8)}  ${name}`);
}
