// Puts the two pages into a folder that any web server can serve: `node examples/build.mjs [FOLDER]`, after `npm run build`.
import { cp, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const [out = join(here, "built"), dist = join(here, "..", "dist")] = process.argv.slice(2).map((path) => resolve(path));

await mkdir(out, { recursive: true });
await cp(join(here, "html"), join(out, "html"), { recursive: true });
await cp(dist, join(out, "html", "client"), { recursive: true, filter: (path) => !path.includes("types") });

await build({
  absWorkingDir: here,
  entryPoints: ["react/talk.tsx"],
  outdir: join(out, "react"),
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
});
await cp(join(here, "react", "index.html"), join(out, "react", "index.html"));
// The worklets lie beside the bundle: browsers load them by themselves.
await cp(join(dist, "worklets"), join(out, "react", "worklets"), { recursive: true });
