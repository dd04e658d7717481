-- | Collects garbage as often as it is asked to, while so many threads, each on a capability of its own, make some.
--
-- > collector MAJOR MINOR THREADS
module Main (main) where

import Control.Concurrent
import Control.Exception (evaluate)
import Control.Monad
import System.Environment (getArgs)
import System.Mem (performGC, performMinorGC)

main :: IO ()
main = do
  [major, minor, threads] <- map read <$> getArgs
  done <- forM [1 .. threads] $ \capability -> do
    ended <- newEmptyMVar
    _ <- forkOn capability (forM_ [1 .. 20] waste >> putMVar ended ())
    return ended
  replicateM_ major performGC
  replicateM_ minor performMinorGC
  mapM_ takeMVar done

waste :: Int -> IO ()
waste n = void (evaluate (length (show (product [1 .. toInteger (2000 + n)]))))
