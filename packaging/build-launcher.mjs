// Builds the launcher (src/runtime/launcher/*.c) with the system's compiler into dist/launcher/launch, and into
// dist/launcher/launch-ARCHITECTURE for each other architecture that a cross compiler is installed for: trees of that are
// installed into with it. Warnings are errors.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';

const sources = 'src/runtime/launcher';
const files = readdirSync(sources)
  .filter((name) => name.endsWith('.c'))
  .sort()
  .map((name) => `${sources}/${name}`);

const flags = [
  '-std=gnu11',
  '-D_GNU_SOURCE',
  '-Os',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-static-pie',
  '-fPIE',
  '-fstack-protector-strong',
  '-D_FORTIFY_SOURCE=2',
  // Every page that is not there need not be mapped: it stays resident beside every container.
  '-ffunction-sections',
  '-fdata-sections',
  '-Wl,--gc-sections,-z,noseparate-code,-z,relro,-z,now',
  '-s',
];

const OUT = 'dist/launcher';

// The architectures that berth is tested on, by Node's words: Go's word, and the compiler that Debian has for each on the others.
const ARCHITECTURES = {
  x64: { name: 'amd64', compiler: 'x86_64-linux-gnu-gcc' },
  arm64: { name: 'arm64', compiler: 'aarch64-linux-gnu-gcc' },
};

async function compile(compiler, name) {
  await promisify(execFile)(compiler, [...flags, '-o', `${OUT}/${name}`, ...files]);
}

mkdirSync(OUT, { recursive: true });
const jobs = [compile(process.env.CC ?? 'cc', 'launch')];
for (const [arch, { name, compiler }] of Object.entries(ARCHITECTURES)) {
  const file = `launch-${name}`;
  if (arch !== process.arch && spawnSync(compiler, ['--version']).status === 0)
    jobs.push(compile(compiler, file));
  // One of other sources would be taken for one of these.
  else rmSync(`${OUT}/${file}`, { force: true });
}
for (const { reason } of (await Promise.allSettled(jobs)).filter(
  ({ status }) => status === 'rejected',
)) {
  process.stderr.write(`${reason.message}\n`);
  process.exitCode = 1;
}
