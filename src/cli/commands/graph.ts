import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

interface GraphCommandOptions {
  readonly format?: 'text' | 'dot' | 'svg';
  readonly boot?: boolean;
  readonly all?: boolean;
}

/** `berth graph [NAME…]`. */
export function graphCommand(context: CliContext): Command {
  return defineCommand<GraphCommandOptions>(
    {
      name: 'graph',
      summary: 'show who starts before whom, and who says so',
      args: [{ syntax: '[name...]', description: 'containers to show; all unless given' }],
      options: [
        new Option('--format <format>', 'how to show it')
          .choices(['text', 'dot', 'svg'])
          .default('text'),
        new Option('--all', 'also the orderings that every service has'),
        new Option('--boot', 'when the containers were started, and what each waited for'),
      ],
      examples: ['berth graph', 'berth graph app --format svg >app.svg', 'berth graph --boot'],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { printResult } = await import('../output/print.js');
      const format = await import('../output/format-graph.js');
      await withHost(context, options, async (host) => {
        const { readStartGraph } = await import('../../containers/graph/start-graph.js');
        const graph = await readStartGraph(host, { names: args, all: options.all === true });
        if (options.boot === true) {
          const { readBootTimes } = await import('../../containers/graph/boot-times.js');
          const times = await readBootTimes(host, args);
          const cycles = format.formatCycles(graph);
          printResult(context, options, {
            of: 'graph',
            json: { ...times, cycles: graph.cycles },
            text: `${format.formatBootTimes(times)}${cycles.map((line) => `${line}\n`).join('')}`,
          });
          return;
        }
        const draw = {
          text: () => Promise.resolve(format.formatGraph(graph)),
          dot: async () => (await import('../output/format-graph-dot.js')).formatGraphDot(graph),
          svg: async () => (await import('../output/format-graph-svg.js')).formatGraphSvg(graph),
        }[options.format ?? 'text'];
        printResult(context, options, { of: 'graph', json: graph, text: await draw() });
      });
    },
    context,
  );
}
