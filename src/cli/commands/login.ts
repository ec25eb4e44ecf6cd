import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { tlsVerifyOption } from '../registry-options.js';

interface LoginOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly authfile?: string;
  readonly certDir?: string;
  readonly tlsVerify?: boolean;
}

const authfileOption = (): Option =>
  new Option('--authfile <file>', 'the file of accounts, in place of the usual ones');

/** `berth login REGISTRY`. */
export function loginCommand(context: CliContext): Command {
  return defineCommand<LoginOptions>(
    {
      name: 'login',
      summary: 'log in to a registry and keep the account',
      args: [{ syntax: '<registry>', description: 'HOST[:PORT]' }],
      options: [
        new Option('-u, --username <name>', 'name of the account; asked for unless given'),
        new Option('--password-stdin', 'read the password from standard input, not the terminal'),
        authfileOption(),
        new Option('--cert-dir <dir>', 'a folder with the certificates for the registry'),
        tlsVerifyOption('--tls-verify <bool>', 'whether the registry has to prove who it is'),
      ],
      examples: [
        'berth login registry.example',
        'berth login -u me --password-stdin registry.example < password',
      ],
    },
    async ({ args, options }) => {
      const { AsyncScope } = await import('../../base/scope.js');
      const { parseRegistryName } = await import('../parse-registry-name.js');
      const { authFilePlace } = await import('../../registry/create-registry-client.js');
      const { storeCredentials } = await import('../../registry/write-auth-file.js');
      const { checkLogin } = await import('../../transport/check-login.js');
      const { readPassword } = await import('../read-password.js');
      const { readUserName } = await import('../read-user-name.js');
      const { printResult } = await import('../output/print.js');
      const { loadConf } = await import('../load-conf.js');
      const { openTransports } = await import('../transports.js');
      const registry = parseRegistryName(args[0] ?? '');
      const username = await readUserName(context, { registry, ...options });
      const password = await readPassword(context, {
        prompt: `Password of ${username} at ${registry}: `,
        fromInput: options.passwordStdin === true,
      });
      const creds = { kind: 'password', username, password } as const;
      await using scope = new AsyncScope();
      const transports = openTransports(context, scope, {
        ...options,
        creds,
        conf: await loadConf(context, options),
      });
      const transport = await transports.contextFor(`docker://${registry}/login`);
      await checkLogin(registry, transport, context.signal);
      const place = authFilePlace(withAuthfile(context, options.authfile));
      await storeCredentials(place, registry, creds);
      printResult(context, options, {
        of: 'login',
        json: { registry, username, file: place.path },
        text: `logged in to ${registry} as ${username}\n`,
      });
    },
    context,
  );
}

/** `berth logout REGISTRY`. */
export function logoutCommand(context: CliContext): Command {
  return defineCommand<{ authfile?: string }>(
    {
      name: 'logout',
      summary: 'forget the account at a registry',
      args: [{ syntax: '<registry>', description: 'HOST[:PORT]' }],
      options: [authfileOption()],
      examples: ['berth logout registry.example'],
    },
    async ({ args, options }) => {
      const { parseRegistryName } = await import('../parse-registry-name.js');
      const { authFilePlace } = await import('../../registry/create-registry-client.js');
      const { removeCredentials } = await import('../../registry/write-auth-file.js');
      const { printResult } = await import('../output/print.js');
      const registry = parseRegistryName(args[0] ?? '');
      const place = authFilePlace(withAuthfile(context, options.authfile));
      const removed = await removeCredentials(place, registry);
      printResult(context, options, {
        of: 'logout',
        json: { registry, removed, file: place.path },
        text: removed ? `logged out of ${registry}\n` : `there is no account at ${registry}\n`,
      });
    },
    context,
  );
}

function withAuthfile(
  { host: { env } }: CliContext,
  authfile: string | undefined,
): Readonly<Record<string, string | undefined>> {
  return authfile === undefined ? env : { ...env, REGISTRY_AUTH_FILE: authfile };
}
