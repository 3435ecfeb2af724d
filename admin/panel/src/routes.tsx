// Every page and its address. Pages are loaded when they are visited.
import {
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  Link,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { CombinedError } from "urql";
import * as v from "valibot";
import { explain } from "./graphql/client";
import { AuditSearch } from "./pages/audit/search";
import { BlockListSearch } from "./pages/block-list/search";
import { FilesSearch } from "./pages/files/search";
import { JobsSearch } from "./pages/jobs/search";
import { ReplicationSearch } from "./pages/replication/search";
import { ReportsSearch } from "./pages/reports/search";
import { isAdmin, requireViewer } from "./session/viewer";
import { Shell } from "./shell/shell";
import { oneOf, text } from "./ui/address";
import { Button } from "./ui/button";
import { Empty } from "./ui/empty";
import { Failure } from "./ui/failure";
import { Toasts } from "./ui/toasts";

const root = createRootRoute({
  component: () => (
    <Toasts>
      <Outlet />
    </Toasts>
  ),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: v.object({ to: text }),
  component: lazyRouteComponent(() => import("./session/sign-in")),
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  beforeLoad: async ({ location }) => ({ viewer: await requireViewer(location.href) }),
  component: Shell,
});

const overview = createRoute({
  getParentRoute: () => shell,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/overview/page")),
});

const erasures = createRoute({
  getParentRoute: () => shell,
  path: "/erasures",
  validateSearch: v.object({ item: text, show: oneOf(["open", "proven"]), file: text }),
  component: lazyRouteComponent(() => import("./pages/erasures/page")),
});

const alerts = createRoute({
  getParentRoute: () => shell,
  path: "/alerts",
  validateSearch: v.object({ item: text }),
  component: lazyRouteComponent(() => import("./pages/alerts/page")),
});

const jobs = createRoute({
  getParentRoute: () => shell,
  path: "/jobs",
  validateSearch: JobsSearch,
  component: lazyRouteComponent(() => import("./pages/jobs/page")),
});

const replication = createRoute({
  getParentRoute: () => shell,
  path: "/replication",
  validateSearch: ReplicationSearch,
  component: lazyRouteComponent(() => import("./pages/replication/page")),
});

/** People, their files, and what was done to them: not for operators. */
const admins = createRoute({
  getParentRoute: () => shell,
  id: "admins",
  beforeLoad: ({ context: { viewer } }) => {
    if (!isAdmin(viewer)) throw redirect({ to: "/" });
  },
});

const reports = createRoute({
  getParentRoute: () => admins,
  path: "/reports",
  validateSearch: ReportsSearch,
  component: lazyRouteComponent(() => import("./pages/reports/page")),
});

const files = createRoute({
  getParentRoute: () => admins,
  path: "/files",
  validateSearch: FilesSearch,
  component: lazyRouteComponent(() => import("./pages/files/page")),
});

const trash = createRoute({
  getParentRoute: () => admins,
  path: "/trash",
  validateSearch: FilesSearch,
  component: lazyRouteComponent(() => import("./pages/trash/page")),
});

const blockList = createRoute({
  getParentRoute: () => admins,
  path: "/block-list",
  validateSearch: BlockListSearch,
  component: lazyRouteComponent(() => import("./pages/block-list/page")),
});

const users = createRoute({
  getParentRoute: () => admins,
  path: "/users",
  validateSearch: v.object({ item: text, q: text }),
  component: lazyRouteComponent(() => import("./pages/users/page")),
});

const audit = createRoute({
  getParentRoute: () => admins,
  path: "/audit",
  validateSearch: AuditSearch,
  component: lazyRouteComponent(() => import("./pages/audit/page")),
});

const forAdmins = admins.addChildren([reports, files, trash, blockList, users, audit]);
const pages = [overview, replication, jobs, alerts, erasures, forAdmins];

export const router = createRouter({
  routeTree: root.addChildren([signIn, shell.addChildren(pages)]),
  basepath: "/admin",
  defaultPreload: "intent",
  defaultPreloadStaleTime: 0,
  // Addresses that people can read: every value is a plain text.
  parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
  stringifySearch(search) {
    const given = Object.entries(search).filter(([, value]) => value !== undefined && value !== "");
    const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return query && `?${query}`;
  },
  defaultErrorComponent: PageFailed,
  defaultNotFoundComponent: NoSuchPage,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

function PageFailed({ error, reset }: ErrorComponentProps) {
  const again = () => {
    reset();
    router.invalidate();
  };
  const said = error instanceof CombinedError ? explain(error) : { message: `The page could not be shown: ${error}` };
  return (
    <main style={{ padding: 24 }}>
      <Failure {...said} action={<Button onClick={again}>Try again</Button>} />
    </main>
  );
}

function NoSuchPage() {
  return (
    <main>
      <Empty
        title="There is no such page"
        text="It may have moved, or the address was cut off."
        action={<Link to="/">Go to the overview</Link>}
      />
    </main>
  );
}
