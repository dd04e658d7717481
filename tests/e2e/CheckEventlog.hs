-- What Debian's ghc-events reads of each eventlog: the number of its events, or what is wrong.
import Control.Monad (forM_)
import qualified Data.ByteString.Lazy as Bytes
import GHC.RTS.Events (dat, events)
import GHC.RTS.Events.Incremental (readEventLog)
import System.Environment (getArgs)

main :: IO ()
main = do
  paths <- getArgs
  forM_ paths $ \path -> do
    bytes <- Bytes.readFile path
    putStrLn $ case readEventLog bytes of
      Left problem -> "error: " ++ problem
      Right (_, Just problem) -> "cut: " ++ problem
      Right (eventlog, Nothing) -> show (length (events (dat eventlog)))
