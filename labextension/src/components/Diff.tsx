import * as React from 'react';

/** Lines that are drawn; a browser gets slow with more. */
const SHOWN = 5000;

const KINDS: Record<string, string> = {
  '+': 'jp-mod-added',
  '-': 'jp-mod-removed',
  '@': 'jp-mod-place',
  '\\': 'jp-mod-note'
};

/** A unified diff. The signs at the beginning of lines say what colours say. */
export function Diff(props: {
  text: string;
  label: string;
  more: (count: number) => string;
}): React.JSX.Element {
  const lines = React.useMemo(() => props.text.split('\n'), [props.text]);
  return (
    <>
      <pre className="jp-Storage-diff" tabIndex={0} role="group" aria-label={props.label}>
        {lines.slice(0, SHOWN).map((line, i) => (
          <div key={i} className={KINDS[line[0]]}>
            {line || ' '}
          </div>
        ))}
      </pre>
      {lines.length > SHOWN && (
        <p className="jp-Storage-small">{props.more(lines.length - SHOWN)}</p>
      )}
    </>
  );
}

/** Text in which every line was added, or removed. */
export function marked(text: string, sign: '+' | '-'): string {
  return text
    .split('\n')
    .map(line => sign + line)
    .join('\n');
}
