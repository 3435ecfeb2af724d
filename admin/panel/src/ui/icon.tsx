// The icons: 16 × 16, drawn with lines in the colour of the text. They repeat what words beside them say.
const PATHS = {
  overview: "M2.5 8.5h3l2-5 2 9 1.5-4h2.5",
  files: "M2.5 3.5h11v9h-11zM2.5 10.5l3-3 2.5 2.5 2-2 3.5 3.5M10.5 6h.01",
  reports: "M4 14V2.5M4 3h8.5L10 6l2.5 3H4",
  trash: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9M6.8 7v4M9.2 7v4",
  blocked: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM4.1 4.1l7.8 7.8",
  users:
    "M6 8a2.3 2.3 0 1 0 0-4.6A2.3 2.3 0 0 0 6 8ZM2 13c0-2.2 1.8-3.5 4-3.5s4 1.3 4 3.5M10.5 3.6a2.2 2.2 0 0 1 0 4.2M11.5 9.7c1.5.4 2.5 1.6 2.5 3.3",
  erasures: "M9.5 3.5l3.5 3.5-6 6H4.5L2.5 11ZM6.5 6.5l3.5 3.5M8 13.5h5.5",
  alerts: "M4 11V7.5a4 4 0 0 1 8 0V11l1.5 1.5h-11ZM6.8 13.5a1.3 1.3 0 0 0 2.4 0",
  replication: "M2.5 5.5h10.5M10.5 3l2.5 2.5L10.5 8M13.5 10.5H3M5.5 8L3 10.5 5.5 13",
  jobs: "M3 3.5h10v3.5H3zM3 9.5h10V13H3zM5 5.2h.01M5 11.2h.01",
  audit: "M4 2.5h8v11H4zM6.2 5.5h3.6M6.2 8h3.6M6.2 10.5h2",
  reload: "M13 8a5 5 0 1 1-1.5-3.6M13 2.5v3h-3",
  check: "M3.5 8.5l3 3 6-7",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  close: "M4 4l8 8M12 4l-8 8",
  warning: "M8 2.5l6 11H2ZM8 6.5v3.5M8 11.8h.01",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 5v3l2 1.5",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.5 10.5l3 3",
  filter: "M2.5 4h11M4.5 8h7M6.5 12h3",
  grid: "M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11",
  lock: "M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
  menu: "M2.5 4h11M2.5 8h11M2.5 12h11",
  file: "M4 2.5h5l3 3v8H4ZM9 2.5v3h3",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
  question: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.2 6.4a1.8 1.8 0 1 1 2.6 1.6c-.5.3-.8.6-.8 1.2M8 11.2h.01",
  ring: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11Z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
