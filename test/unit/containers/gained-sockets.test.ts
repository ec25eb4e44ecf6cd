import assert from 'node:assert/strict';

import { gainedPermissions } from '../../../src/containers/gained-permissions.js';
import { each } from '../../support/each.js';
import { side, type Sketch } from '../../support/permitted-sketch.js';

each<{
  readonly name: string;
  readonly before: Sketch;
  readonly after: Sketch;
  readonly want: readonly string[];
}>(
  'gainedPermissions() tells',
  [
    {
      name: 'a socket, and another address of one',
      before: {},
      after: { socket: 'ListenStream=80\nListenStream=/run/web.sock\n' },
      want: [
        "web.socket listens at '80' (ListenStream=)",
        "web.socket listens at '/run/web.sock' (ListenStream=)",
      ],
    },
    {
      name: 'another address of a socket',
      before: { socket: 'ListenStream=127.0.0.1:80\n' },
      after: { socket: 'ListenStream=127.0.0.1:80\nListenStream=80\n' },
      want: ["web.socket listens at '80' (ListenStream=)"],
    },
    {
      name: 'who may connect to a socket and could not before',
      before: {
        socket: 'ListenStream=/run/web.sock\nSocketMode=0600\nBindToDevice=lo\n',
      },
      after: { socket: 'ListenStream=/run/web.sock\nSocketGroup=www\n' },
      want: [
        "web.socket has SocketMode='0666' in place of '0600'",
        "web.socket has SocketGroup='www'",
        "web.socket no longer has BindToDevice='lo'",
      ],
    },
    {
      name: 'that commands of a socket run as another user',
      before: { socket: 'ListenStream=80\nExecStartPost=/bin/x\nUser=nobody\n' },
      after: { socket: 'ListenStream=80\nExecStartPost=/bin/x\n' },
      want: ['web.socket runs its commands on the host as root'],
    },
    {
      name: 'what of a socket reaches further',
      before: {
        socket: 'ListenStream=80\nBindToDevice=lo\nBindIPv6Only=ipv6-only\nDirectoryMode=0700\n',
      },
      after: {
        socket: 'ListenStream=80\nBindToDevice=eth0\nTransparent=yes\nMark=7\nWritable=no\n',
      },
      want: [
        "web.socket has DirectoryMode='0755' in place of '0700'",
        "web.socket has BindToDevice='eth0' in place of 'lo'",
        "web.socket no longer has BindIPv6Only='ipv6-only'",
        "web.socket has Transparent='yes'",
        "web.socket has Mark='7'",
      ],
    },
    {
      name: 'a mode that systemd passes over, for the one before it',
      before: { socket: 'ListenStream=/run/web.sock\nSocketMode=0600\n' },
      after: {
        socket: 'ListenStream=/run/web.sock\nSocketMode=0666\nSocketMode=040000000600\n',
      },
      want: ["web.socket has SocketMode='040000000600' in place of '0600'"],
    },
    {
      name: 'nothing of a socket that fewer may connect to, or that is gone',
      before: { socket: 'ListenStream=80\nListenStream=/run/web.sock\n' },
      after: { socket: 'ListenStream=/run/web.sock\nSocketMode=0660\nSocketUser=root\n' },
      want: [],
    },
    {
      name: 'sockets of other units, and nothing of its own',
      before: { unit: 'Sockets=web.socket\n' },
      after: { unit: 'Sockets=web.socket\nSockets=docker.socket\n' },
      want: ["the unit is given sockets of other units: 'docker.socket'"],
    },
    {
      name: 'commands of a socket on the host',
      before: { socket: 'ListenStream=80\n' },
      after: { socket: 'ListenStream=80\nExecStartPost=/bin/x\n' },
      want: ["web.socket runs on the host (ExecStartPost=): '/bin/x'"],
    },
  ],
  ({ before, after, want }) => {
    assert.deepEqual(gainedPermissions(side(before), side(after)), want);
  },
);
