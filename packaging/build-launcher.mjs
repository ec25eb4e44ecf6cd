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
  '-fPIE',
  '-fstack-protector-strong',
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

function isThere(compiler) {
  return spawnSync(compiler, ['--version']).status === 0;
}

// glibc asks the processor some fifty times what it can do before main begins. Each CPUID of a virtual machine is an exit to
// its hypervisor (9 us on Firecracker), and the launcher begins twice: a millisecond for each start. musl does not ask.
function withMusl(sources) {
  const multiarch = spawnSync('cc', ['-print-multiarch'], { encoding: 'utf8' }).stdout.trim();
  const kernelHeaders = [`/usr/include/${multiarch}`, '/usr/include'];
  return [
    ...kernelHeaders.flatMap((folder) => ['-idirafter', folder]),
    // Its specs do not know -static-pie.
    '-static',
    '-nostartfiles',
    '-Wl,-pie,--no-dynamic-linker,-z,text',
    '-l:rcrt1.o',
    '-l:crti.o',
    ...sources,
    '-l:crtn.o',
  ];
}

function withGlibc(sources) {
  return ['-static-pie', '-D_FORTIFY_SOURCE=2', ...sources];
}

async function compile(compiler, link, name) {
  await promisify(execFile)(compiler, [...flags, '-o', `${OUT}/${name}`, ...link(files)]);
}

function compileOwn() {
  if (process.env.CC !== undefined) return compile(process.env.CC, withGlibc, 'launch');
  if (isThere('musl-gcc')) return compile('musl-gcc', withMusl, 'launch');
  process.stderr.write(
    'the launcher is built without musl, and takes a millisecond longer on virtual machines: install musl-tools\n',
  );
  return compile('cc', withGlibc, 'launch');
}

mkdirSync(OUT, { recursive: true });
const jobs = [compileOwn()];
for (const [arch, { name, compiler }] of Object.entries(ARCHITECTURES)) {
  const file = `launch-${name}`;
  if (arch !== process.arch && isThere(compiler)) jobs.push(compile(compiler, withGlibc, file));
  // One of other sources would be taken for one of these.
  else rmSync(`${OUT}/${file}`, { force: true });
}
for (const { reason } of (await Promise.allSettled(jobs)).filter(
  ({ status }) => status === 'rejected',
)) {
  process.stderr.write(`${reason.message}\n`);
  process.exitCode = 1;
}
