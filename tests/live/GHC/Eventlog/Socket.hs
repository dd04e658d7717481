{-# LANGUAGE ForeignFunctionInterface #-}
-- | For tests: what examples/oddball uses of the package eventlog-socket, over tests/live/eventlog_socket.c.
module GHC.Eventlog.Socket (startWait) where

import Foreign.C.String (CString, withCString)

-- | Serves the eventlog at a path, and returns when somebody is connected.
startWait :: FilePath -> IO ()
startWait path = withCString path eventlogSocketStartWait

-- Safe: it waits for a client, and that client's thread calls back into the run-time system.
foreign import ccall safe "eventlog_socket_start_wait" eventlogSocketStartWait :: CString -> IO ()
