import * as React from 'react';

import { CommandIDs } from '../tokens';
import type { IPanelContext } from './context';

/** What is shown before a tier is chosen: the tiers in one picture, and a way to add a bucket. */
export function Welcome({ context }: { context: IPanelContext }): React.JSX.Element {
  const { commands, trans } = context;
  const rings: [string, string][] = [
    [trans.__('artifacts · buckets'), trans.__('large files, for good')],
    [trans.__('shared'), trans.__('the team’s disk')],
    [trans.__('user'), trans.__('yours, everywhere')],
    [trans.__('cluster'), trans.__('this cluster’s nodes')],
    [trans.__('local'), trans.__('this machine, fast')]
  ];
  const described = rings.map(([name, what]) => `${name}: ${what}`).join('; ');
  return (
    <div className="jp-Storage-welcome">
      <p>{trans.__('Choose a tier to see its files.')}</p>
      <svg
        viewBox="0 0 240 190"
        role="img"
        aria-label={trans.__('Tiers, from the widest to the nearest: %1', described)}
      >
        {rings.map(([name, what], i) => (
          <g key={name} transform={`translate(${i * 8} ${i * 30})`}>
            <rect x="1" y="1" width={238 - i * 16} height={188 - i * 34} rx="8" />
            <text x="10" y="19">
              <tspan className="jp-Storage-welcomeName">{name}</tspan>
              <tspan dx="8">{what}</tspan>
            </text>
          </g>
        ))}
      </svg>
      <p>
        {trans.__('Further out, more people see it and it lasts longer; further in, it is faster.')}
      </p>
      <button
        className="jp-Storage-action"
        onClick={() => void commands.execute(CommandIDs.addTier)}
      >
        {trans.__('Add a Bucket…')}
      </button>
    </div>
  );
}
