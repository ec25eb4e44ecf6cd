// Which folder may import which. Everything not listed here is forbidden (src/README.md has the table in words).
const allowedImports = {
  errors: [],
  base: ['errors'],
  sys: ['base', 'errors'],
  oci: ['base', 'errors'],
  config: ['base', 'errors'],
  registry: ['oci', 'base', 'errors'],
  tar: ['base', 'errors'],
  transport: ['registry', 'tar', 'oci', 'base', 'errors'],
  trust: ['transport', 'registry', 'oci', 'base', 'errors'],
  layer: ['tar', 'oci', 'sys', 'base', 'errors'],
  store: ['oci', 'sys', 'base', 'errors'],
  templates: ['oci', 'base', 'errors'],
  systemd: ['sys', 'base', 'errors'],
  runtime: ['oci', 'sys', 'base', 'errors'],
  'runtime-cli': ['runtime', 'systemd', 'oci', 'sys', 'base', 'errors'],
  images: [
    'store',
    'layer',
    'tar',
    'trust',
    'transport',
    'registry',
    'config',
    'oci',
    'sys',
    'base',
    'errors',
  ],
  containers: [
    'images',
    'runtime',
    'systemd',
    'templates',
    'store',
    'layer',
    'tar',
    'trust',
    'transport',
    'registry',
    'config',
    'oci',
    'sys',
    'base',
    'errors',
  ],
};
// Which place may import which npm package (and no other place may).
const packageOwner = {
  koffi: '^(ostree-adapter/ffi|src/sys)/',
  undici: '^src/registry/undici\\.ts$',
  handlebars: '^src/templates/(engine|handlebars-parser\\.d)\\.ts$',
  commander: '^src/cli/',
  'smol-toml': '^src/base/toml\\.ts$',
};
const folderRules = Object.entries(allowedImports).map(([folder, targets]) => ({
  name: `layering-${folder}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: {
    path: '^src/',
    pathNot: [
      `^src/${folder}/`,
      ...targets.map((target) => `^src/${target}/`),
      // The sink and the tree are where layers meet the store: the store implements them. The rest is for layers that
      // another tool unpacked into a repository: they are read as archives are.
      ...(folder === 'store'
        ? ['^src/layer/(layer-sink|tree|show-bytes|whiteout|filter-xattrs|limits)\\.ts$']
        : []),
    ],
  },
}));
const ownerRules = Object.entries(packageOwner).map(([name, owner]) => ({
  name: `owner-of-${name}`,
  severity: 'error',
  from: { path: '^(src|ostree-adapter)/', pathNot: owner },
  to: { path: `^node_modules/${name}/` },
}));
module.exports = {
  forbidden: [
    ...folderRules,
    ...ownerRules,
    {
      name: 'adapter-knows-nothing',
      severity: 'error',
      from: { path: '^ostree-adapter/' },
      to: { path: '^(src|test)/' },
    },
    {
      name: 'adapter-only-through-index',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^ostree-adapter/', pathNot: '^ostree-adapter/index\\.ts$' },
    },
    {
      name: 'adapter-only-from-store',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/store/ostree/' },
      to: { path: '^ostree-adapter/' },
    },
    {
      name: 'production-never-imports-test',
      severity: 'error',
      from: { path: '^(src|ostree-adapter)/' },
      to: { path: '^test/' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: ['^src/(main|runtime-main)\\.ts$', '\\.(test|d)\\.ts$', '^test/lint/'],
      },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
