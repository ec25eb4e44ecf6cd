/**
 * What atomic(1) 1.22 took and berth does not, by command and word, and what to use instead: scripts that were written for it are told in
 * a line, not sent to the help. The manual page has the same table.
 */
export const ATOMIC_SPELLINGS: Readonly<Record<string, string>> = {
  '--assumeyes': 'it is -y or --yes',
  'containers delete --all': 'name them: berth uninstall $(berth list -q)',
  'containers delete --storage':
    'leave it out: a container has one name, whatever store its image is in',
  'containers trim': 'trim the file system that holds /var/lib/berth: fstrim /var/lib',
  'diff --keywords': 'leave it out: berth diff compares content, mode, owner and attributes always',
  'diff --metadata':
    'leave it out: berth diff compares configuration, labels and permissions always',
  'diff --names-only': "pick from berth diff --json: '.packages.changes[].name'",
  'diff --no-files': "leave it out, or pick from berth diff --json: '.packages, .config'",
  'diff --rpms': 'leave it out: berth diff compares packages always',
  'diff --verbose': 'leave it out: berth diff shows every package',
  host: 'berth does not change the operating system: rpm-ostree, bootc or apt do',
  'images delete --all': 'berth images prune --all removes what no deployment was made of',
  'images delete --remote':
    "delete it with the registry's own tools, or 'skopeo delete docker://IMAGE'",
  'images generate':
    'berth verify compares with the digests of the image; nothing has to be made for it',
  'images help':
    'berth info IMAGE shows what an image says of itself; berth run IMAGE -- man … what is in it',
  'images update':
    'berth pull IMAGE fetches what it is now; berth update NAME moves a container to it',
  'images verify --all': 'leave it out: without an image all are verified',
  'images verify --no-validate':
    'berth update --plan NAME says whether there is something new, and reads no files',
  'images verify --storage': 'leave it out: both stores are looked at',
  'images verify --verbose': 'leave it out: what is damaged is always named',
  'images version --recurse':
    'berth inspect IMAGE shows the layers; they have no versions of their own',
  'images version --storage': 'leave it out: both stores are looked at',
  'install --display': 'berth install --plan shows what would be done',
  migrate:
    'berth copy takes images from one store to another; berth adopt takes over containers of atomic',
  'mount --live':
    'a container that runs is looked into with berth exec NAME or berth shell NAME; what is mounted is read-only',
  'mount --shared': 'leave it out: checkouts have the label of content that containers read',
  'mount --storage': 'name the image by its digest: berth images list --no-trunc has it',
  ps: 'berth list shows containers, berth top their processes',
  'pull --src-creds': 'it is --creds',
  'pull --type':
    'write the transport before the name: docker-daemon:NAME, oci:PATH, docker-archive:PATH',
  'push --anonymous': 'berth logout REGISTRY forgets the account; without one berth is anonymous',
  'push --gnupghome': 'push it, then berth sign --gnupghome DIR IMAGE',
  'push --insecure': 'it is --dest-tls-verify=false',
  'push --password': 'berth login REGISTRY keeps the account, or --dest-creds USER:PASSWORD',
  'push --pulp': 'push to the registry of Pulp by its name: berth push SOURCE REFERENCE',
  'push --satellite': 'push to the registry of Satellite by its name: berth push SOURCE REFERENCE',
  'push --sign-by': 'push it, then berth sign --sign-by KEY IMAGE',
  'push --type': 'write the transport before the name: berth copy SOURCE TRANSPORT:NAME',
  'push --url': 'write the registry before the name: berth push SOURCE REGISTRY/NAME',
  'push --username':
    'berth login -u NAME REGISTRY keeps the account, or --dest-creds USER:PASSWORD',
  'push --verify_ssl': 'it is --dest-tls-verify',
  'run --detach':
    'berth install --start IMAGE makes it a service; berth start NAME starts one that is there',
  'run --display': 'berth install --plan IMAGE shows what the image would do',
  'run --name': 'berth install --start --name NAME IMAGE makes it a service of that name',
  'run --quiet': 'leave it out: berth prints nothing of its own to standard output',
  'run --replace':
    'berth update --rebase IMAGE NAME puts another image in the place of one that is installed',
  'run --runtime': 'berth install --runtime PROGRAM IMAGE makes it a service of that runtime',
  'run --spc':
    'berth gives what the image asks for in its config.json, and berth install --plan IMAGE shows it',
  'run --storage': 'berth pull --storage STORE IMAGE first; what is in the store is used',
  'stop --display': 'systemctl show -p ExecStop NAME shows how it is stopped',
  storage: 'berth keeps images below /var/lib/berth, or where storage of berth.conf(5) says',
  'top --optional': 'berth top --json has all columns',
  'top -d': 'watch -n SECONDS berth top, or systemd-cgtop',
  'top -n': 'berth top shows them once; watch berth top, or systemd-cgtop, again and again',
  'uninstall --display': 'berth uninstall --plan NAME shows what would be done',
  'uninstall --name': 'write the name alone: berth uninstall NAME',
  'uninstall --storage':
    'berth images delete --storage STORE IMAGE deletes an image; a container has one name',
  umount: 'it is unmount',
  'update --storage': 'leave it out: a container keeps to the store that it was made from',
  upload: 'it is push',
  'verify --all': 'leave it out: without names all are verified',
  'verify --no-validate':
    'berth update --plan NAME says whether there is something new, and reads no files',
  'verify --storage': 'leave it out: a container is compared with the image that it was made from',
  'verify --verbose': 'leave it out: all that differs is always named',
  version: 'berth --version is that of berth; berth images version IMAGE that of an image',
};

/** Short options, and the long ones in the table that they stood for. */
const SHORT: Readonly<Record<string, string>> = {
  'containers delete -a': '--all',
  'diff -k': '--keywords',
  'diff -m': '--metadata',
  'diff -n': '--no-files',
  'diff -r': '--rpms',
  'diff -v': '--verbose',
  'images delete -a': '--all',
  'images verify -a': '--all',
  'images verify -v': '--verbose',
  'images version -r': '--recurse',
  'pull -t': '--type',
  'push -U': '--url',
  'push -p': '--password',
  'push -t': '--type',
  'push -u': '--username',
  'push -g': '--gnupghome',
  'run -d': '--detach',
  'run -n': '--name',
  'run -q': '--quiet',
  'run -r': '--replace',
  'top -o': '--optional',
  'uninstall -n': '--name',
  'verify -a': '--all',
  'verify -v': '--verbose',
};

/**
 * What to use in place of a word that atomic knew; undefined for one that it did not know either. `words` are those of the command line
 * that are no options; `unknown` is the option or command that was refused.
 */
export function findSpelling(words: readonly string[], unknown: string): string | undefined {
  const [first = '', second = ''] = words;
  const word = unknown.split('=', 1)[0] ?? '';
  for (const command of [`${first} ${second} `, `${first} `, '']) {
    const own = Object.hasOwn(SHORT, command + word) ? SHORT[command + word] : word;
    const key = `${command}${own ?? ''}`;
    if (Object.hasOwn(ATOMIC_SPELLINGS, key)) return ATOMIC_SPELLINGS[key];
  }
  return undefined;
}
