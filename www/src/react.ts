// The entry `sandglass/react`: a database and its queries as hooks of React.

export type * from "./api/index.js";
export { type DatabaseOptions, type DatabaseState, useDatabase } from "./react/use_database.js";
export {
  type FixedRange,
  type FollowedInstant,
  type FollowedRange,
  type QueryState,
  type Question,
  useQuery,
} from "./react/use_query.js";
