import * as React from 'react';

/** A bar from 0 to 1; null where the end is not known yet. */
export function Bar(props: {
  value: number | null;
  label: string;
  role: 'progressbar' | 'meter';
  warn?: boolean;
}): React.JSX.Element {
  const { value, label, role, warn } = props;
  const percent = value === null ? undefined : Math.round(100 * Math.min(1, Math.max(0, value)));
  return (
    <div
      className={`jp-Storage-bar${percent === undefined ? ' jp-mod-unknown' : ''}${warn ? ' jp-mod-warn' : ''}`}
      role={role}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <div style={{ width: percent === undefined ? undefined : `${percent}%` }} />
    </div>
  );
}
