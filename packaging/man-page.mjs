// man-page.mjs: a page of packaging/man as man(1) shows it.
import { execFileSync } from 'node:child_process';

/** The text of a page, in Markdown, as roff. */
export function manPage(text, { title, section, volume }) {
  const roff = execFileSync(
    'lowdown',
    [
      ...['-s', '-Tman'],
      // Names such as SYSTEM_CALL_FAILED have no emphasis in them, and `--user` is no dash.
      ...['--parse-no-intraemph', '--out-no-smarty'],
      ...['-M', `title=${title}`, '-M', `section=${section}`, '-M', `volume=${volume}`],
    ],
    // The page's own title is in its header; one step up, since man has two kinds of headings.
    { input: text.replace(/^# .*\n/, '').replaceAll(/^##/gm, '#'), encoding: 'utf8' },
  );
  return (
    roff
      .replaceAll(/^\.SH\n/gm, '.SH ')
      // What can be typed is copied from here: it stays in one piece.
      .replaceAll(/\\fC.*?\\fR/gs, (code) => code.replaceAll('-', '\\-'))
      .replace(/^\.TH .*\n/m, (header) => `.nr HY 0\n${header}.nh\n.ad l\n`)
  );
}
